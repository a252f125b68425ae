//! What the sending side is busy with, for people who look at the server: read from its counters, so nobody waits for anybody.

use std::sync::atomic::Ordering;

use super::Handle;
use crate::domain::workload::{Places, ThreadBusy, Workload};
use crate::pulse::Pulse;

impl Handle {
    /// What the sending side is busy with now.
    pub fn workload(&self) -> Workload {
        let pulses = std::iter::once(&*self.engine_pulse).chain(self.senders.iter().map(|(_, pulse)| &**pulse));
        let busy_ms = |pulse: &Pulse| pulse.busy_for().map(|busy| busy.as_millis() as u64);
        Workload {
            out: self.meters.out.load(Ordering::Relaxed),
            lanes: self.meters.lanes.load(Ordering::Relaxed),
            connections: self.descriptors.open(),
            connections_max: self.descriptors.max(),
            bodies_bytes: self.bodies.held_bytes(),
            bodies_bytes_max: self.bodies.max(),
            leases: self.leases.count(),
            places: self.meters.places().map(|(pool, taken, max)| Places { pool, taken, max }).collect(),
            threads: pulses.map(|pulse| ThreadBusy { name: pulse.thread().into(), busy_ms: busy_ms(pulse) }).collect(),
        }
    }
}
