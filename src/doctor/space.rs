//! Space: whether events are taken, and for how long there is room. What stays true: a figure is told with its reckoning, there is
//! none where too little is known, and none where retention takes as much as comes before the room is used up.

use crate::config::{Config, RetentionConfig};
use crate::domain::finding::{Finding, Severity};
use crate::domain::time::DAY_MS;
use crate::store::{FULL_SOON_DAYS, Grown};

/// What came in less time says nothing of the days to come.
const OVER_MS_MIN: u64 = DAY_MS;
/// Room for more days is enough.
const DAYS_TOLD: u64 = 90;
const REMEDY: &str = "free some, move the data directory, or keep less ([retention])";

/// What is wrong with the space of a store that has grown so, if that is known.
pub fn findings(config: &Config, grown: Option<&Grown>) -> Vec<Finding> {
    if config.store.url.is_some() {
        return Vec::new();
    }
    let Ok(stat) = rustix::fs::statvfs(&config.store.path) else { return Vec::new() };
    let (free, least) = (stat.f_bavail * stat.f_frsize, config.store.free_bytes_min);
    let lasting = grown.and_then(|grown| lasting(grown, free.saturating_sub(least), &config.retention));
    let place = config.store.path.display().to_string();
    [taken(free, least), lasting].into_iter().flatten().map(|finding| finding.at(place.clone())).collect()
}

/// Whether events are taken.
fn taken(free: u64, least: u64) -> Option<Finding> {
    let told = |severity, what: String| Finding::new(severity, "space", what, REMEDY);
    if free < least {
        let what = format!("{free} bytes are free, and below {least} (store.free_bytes_min) no event is taken");
        return Some(told(Severity::Error, what));
    }
    let what = || format!("{free} bytes are free; below {least} (store.free_bytes_min) no event is taken");
    (free < least.saturating_mul(2)).then(|| told(Severity::Warning, what()))
}

/// How long so many bytes of room last.
fn lasting(grown: &Grown, room: u64, retention: &RetentionConfig) -> Option<Finding> {
    let Grown { files_bytes, over_ms, .. } = *grown;
    // Where there is no room, that is told already.
    if over_ms < OVER_MS_MIN || files_bytes == 0 || room == 0 {
        return None;
    }
    if to_come(grown, retention).is_some_and(|bytes| bytes <= u128::from(room)) {
        return None;
    }
    let days = u128::from(room) * u128::from(over_ms) / u128::from(files_bytes) / u128::from(DAY_MS);
    let reckoning = format!(
        "the store's files have {files_bytes} bytes for the events of {}, and at that pace {room} more are used up before \
         retention takes as much as comes",
        in_words(over_ms / DAY_MS)
    );
    until_full(u64::try_from(days).unwrap_or(u64::MAX), &reckoning)
}

/// So many bytes more has the store once retention takes as much as comes; `None`: it never does.
fn to_come(grown: &Grown, retention: &RetentionConfig) -> Option<u128> {
    let [files, kept, over] = [grown.files_bytes, grown.kept_bytes, grown.over_ms].map(u128::from);
    let [keeps_ms, kept_max] = [u128::from(retention.event_days) * u128::from(DAY_MS), retention.bytes_max.into()];
    let by_age = (keeps_ms > 0).then(|| files * keeps_ms.saturating_sub(over) / over);
    let by_bytes = (kept_max > 0 && kept > 0).then(|| files * kept_max.saturating_sub(kept) / kept);
    by_age.into_iter().chain(by_bytes).min()
}

/// That no event is taken any more in so many days, if those are few.
pub fn until_full(days: u64, reckoning: &str) -> Option<Finding> {
    let severity = match days {
        ..FULL_SOON_DAYS => Severity::Warning,
        FULL_SOON_DAYS..DAYS_TOLD => Severity::Note,
        _ => return None,
    };
    let when = if days == 0 { "within a day".to_owned() } else { format!("in {}", in_words(days)) };
    Some(Finding::new(severity, "space", format!("no event is taken any more {when}: {reckoning}"), REMEDY))
}

fn in_words(days: u64) -> String {
    if days == 1 { "a day".into() } else { format!("{days} days") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_full_or_nearly_so_is_found() {
        let severity = |free, least| taken(free, least).map(|found| found.severity);
        assert_eq!(
            [9, 10, 19, 20].map(|free| severity(free, 10)),
            [Some(Severity::Error), Some(Severity::Warning), Some(Severity::Warning), None]
        );
        assert_eq!(severity(0, 0), None, "no floor, no finding");
    }

    /// Ten bytes a day for ten days, of which retention counts half.
    const GROWN: Grown = Grown { files_bytes: 100, kept_bytes: 50, over_ms: 10 * DAY_MS };

    fn kept_for(event_days: u64, bytes_max: u64) -> RetentionConfig {
        RetentionConfig { event_days, bytes_max, ..RetentionConfig::default() }
    }

    #[test]
    fn room_that_lasts_for_few_days_is_a_warning_and_for_some_a_note() {
        let severity = |room| lasting(&GROWN, room, &kept_for(0, 0)).map(|found| found.severity);
        assert_eq!(
            [139, 140, 899, 900].map(severity),
            [Some(Severity::Warning), Some(Severity::Note), Some(Severity::Note), None]
        );
        let told = lasting(&GROWN, 39, &kept_for(0, 0)).expect("it is full soon");
        assert!(
            told.what.starts_with("no event is taken any more in 3 days: the store's files have 100 bytes"),
            "{told:?}"
        );
        assert!(told.what.contains("events of 10 days, and at that pace 39 more"), "{told:?}");
        assert!(lasting(&GROWN, 9, &kept_for(0, 0)).is_some_and(|found| found.what.contains("within a day")));
    }

    #[test]
    fn where_retention_takes_as_much_as_comes_in_time_there_is_no_end() {
        let ends = |room, event_days, bytes_max| lasting(&GROWN, room, &kept_for(event_days, bytes_max)).is_some();
        // Two days more.
        assert_eq!([ends(19, 12, 0), ends(20, 12, 0)], [true, false]);
        assert!(!ends(1, 10, 0), "what is older goes already");
        // Ten bytes more, of a hundred that there would be then.
        assert_eq!([ends(19, 0, 60), ends(20, 0, 60)], [true, false]);
        assert_eq!([ends(19, 90, 60), ends(20, 90, 60)], [true, false], "whichever comes first");
    }

    #[test]
    fn where_too_little_is_known_there_is_no_figure() {
        let none = |grown: Grown| lasting(&grown, 1, &kept_for(0, 0)).is_none();
        assert!(none(Grown { over_ms: DAY_MS - 1, ..GROWN }) && none(Grown { files_bytes: 0, ..GROWN }));
        assert!(!none(Grown { over_ms: DAY_MS, ..GROWN }));
        assert!(lasting(&GROWN, 0, &kept_for(0, 0)).is_none(), "it is told already that nothing is taken");
    }
}
