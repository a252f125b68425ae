//! What a request says of a webhook's order: three fields that make one setting.

use crate::api::http::setting::Change;
use crate::domain::Invalid;
use crate::domain::order::{KeyPath, OnDead, Order};

/// What becomes of the order.
#[derive(Debug)]
pub struct OrderChange {
    fifo: Option<bool>,
    key: Change<KeyPath>,
    on_dead: Option<OnDead>,
}

impl OrderChange {
    /// Reads what a request says.
    pub fn vet(order: Change<String>, key: Change<String>, on_dead: Change<OnDead>) -> Result<Self, Invalid> {
        let fifo = match order {
            Change::Keep => None,
            Change::Reset => Some(false),
            Change::To(word) if word == "fifo" => Some(true),
            Change::To(_) => return Err(Invalid::new("order", "must be \"fifo\" or null")),
        };
        let key = key.vet(|text| KeyPath::parse(&text))?;
        if fifo == Some(false) && matches!(key, Change::To(_)) {
            return Err(Invalid::new("order_key", "needs \"order\": \"fifo\""));
        }
        Ok(Self { fifo, key, on_dead: on_dead.or_reset(OnDead::Skip) })
    }

    /// Changes the order of a webhook. A key alone asks for an order, too.
    pub fn apply(self, to: &mut Option<Order>) {
        match self.fifo {
            Some(false) => *to = None,
            Some(true) => drop(to.get_or_insert(Order { key: None, on_dead: OnDead::Skip })),
            None if matches!(self.key, Change::To(_)) => {
                to.get_or_insert(Order { key: None, on_dead: OnDead::Skip });
            }
            None => {}
        }
        if let Some(order) = to {
            self.key.apply(&mut order.key);
            order.on_dead = self.on_dead.unwrap_or(order.on_dead);
        }
    }
}
