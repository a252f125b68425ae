//! What one second of the hostile hour showed: a line of figures, and all seconds in a few. What stays true: a second in
//! which nothing was answered has no latencies, and its line leaves them out.

/// The names of the figures, as they stand in a line.
pub const HEAD: &str = "seconds,publish_p50_ms,publish_p99_ms,delivery_p50_ms,delivery_p99_ms,sent,undelivered,rss_mib,\
    descriptors,disk_mib,neighbours";

/// What one second showed.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Since the begin.
    pub seconds: f64,
    /// Median and 99 per cent of the healthy account's posts, if any was answered.
    pub publish_ms: Option<[f64; 2]>,
    /// The same of its deliveries that arrived.
    pub delivery_ms: Option<[f64; 2]>,
    /// Accepted events of the healthy account so far.
    pub sent: u64,
    /// Of those, how many have not arrived yet.
    pub undelivered: u64,
    /// Memory of the server.
    pub rss_mib: f64,
    /// Its descriptors.
    pub descriptors: u64,
    /// Its data.
    pub disk_mib: f64,
    /// What the neighbours do.
    pub neighbours: String,
}

impl Sample {
    /// Its line.
    pub fn line(&self) -> String {
        let pair = |pair: Option<[f64; 2]>| pair.map_or(",".into(), |[p50, p99]| format!("{p50:.1},{p99:.1}"));
        format!(
            "{:.1},{},{},{},{},{:.0},{},{:.0},{}",
            self.seconds,
            pair(self.publish_ms),
            pair(self.delivery_ms),
            self.sent,
            self.undelivered,
            self.rss_mib,
            self.descriptors,
            self.disk_mib,
            self.neighbours
        )
    }
}

/// The hour in a few lines: how the seconds were.
pub fn summary(samples: &[Sample]) -> String {
    let p99 = |of: fn(&Sample) -> Option<[f64; 2]>| {
        let mut all: Vec<f64> = samples.iter().filter_map(|sample| of(sample).map(|[_, p99]| p99)).collect();
        all.sort_by(f64::total_cmp);
        let at = |part: f64| all.get(((all.len() as f64 * part) as usize).min(all.len().saturating_sub(1))).copied();
        let [half, most, all] = [0.5, 0.99, 1.0].map(|part| at(part).unwrap_or_default());
        format!("p99 within {half:.1} ms in half of the seconds, {most:.1} in 99 of 100, {all:.1} in all")
    };
    let most = |of: fn(&Sample) -> f64| samples.iter().map(of).fold(0.0, f64::max);
    let last = samples.last().map_or((0, 0), |last| (last.sent, last.undelivered));
    [
        format!("publish     {}", p99(|sample| sample.publish_ms)),
        format!("delivery    {}", p99(|sample| sample.delivery_ms)),
        format!("in the end  {} of {} under way or undelivered", last.1, last.0),
        format!(
            "at most     {:.0} MiB of memory, {:.0} descriptors, {:.0} MiB on disk",
            most(|sample| sample.rss_mib),
            most(|sample| sample.descriptors as f64),
            most(|sample| sample.disk_mib)
        ),
    ]
    .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_in_which_nothing_was_answered_leaves_its_figures_out() {
        let sample = Sample {
            seconds: 3.04,
            publish_ms: None,
            delivery_ms: Some([1.0, 2.25]),
            sent: 60,
            undelivered: 2,
            rss_mib: 70.4,
            descriptors: 80,
            disk_mib: 12.0,
            neighbours: "a+b".into(),
        };
        let line = sample.line();
        assert_eq!(line, "3.0,,,1.0,2.2,60,2,70,80,12,a+b");
        assert_eq!(line.split(',').count(), HEAD.split(',').count());
        let later = Sample { publish_ms: Some([1.0, 9.0]), ..sample.clone() };
        let text = summary(&[sample, later]);
        assert!(
            text.starts_with("publish     p99 within 9.0 ms in half") && text.contains("2 of 60 under way"),
            "{text}"
        );
    }
}
