//! The database that keeps the store, where one does: whether it can be asked, its tables, and how far away it is.

use std::time::Duration;

use crate::domain::finding::{Finding, Severity};
use crate::store::{Member, Seen, Tables};

/// Each group of events waits for an answer, and each answer for the way there and back: from here on that is most of what an accept
/// takes.
const FAR: Duration = Duration::from_millis(5);

/// What is wrong with it, as a node sees it.
pub fn findings(member: &Member) -> Vec<Finding> {
    let found = match member.look() {
        Ok(seen) => [tables(seen.tables), far(&seen)].into_iter().flatten().collect(),
        Err(why) => {
            let remedy = "look at store.url, the password and the way there: a node without its database lives, and takes no event";
            vec![told(Severity::Error, format!("it cannot be asked: {why}"), remedy)]
        }
    };
    found.into_iter().map(|finding| finding.at(member.to_string())).collect()
}

fn tables(tables: Tables) -> Option<Finding> {
    let (severity, what, remedy) = match tables {
        Tables::There => return None,
        Tables::ToBeMade => {
            (Severity::Note, "it has no tables yet".to_owned(), "nothing is to be done: the first node makes them")
        }
        Tables::NotToBeMade => (
            Severity::Error,
            "it has no tables, and this user may not make them".to_owned(),
            "let somebody who may run what `hookwheel schema` prints",
        ),
        Tables::OfVersion { found, known } => (
            Severity::Error,
            format!("its tables have version {found}, and this hookwheel knows {known}"),
            "use the hookwheel that made them",
        ),
    };
    Some(told(severity, what, remedy))
}

fn far(seen: &Seen) -> Option<Finding> {
    let what = || format!("it takes {} ms to answer, and each event waits for an answer", seen.answer.as_millis());
    (seen.answer >= FAR).then(|| told(Severity::Warning, what(), "bring nodes and database nearer to each other"))
}

fn told(severity: Severity, what: String, remedy: &str) -> Finding {
    Finding::new(severity, "database", what, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_that_are_not_there_and_a_long_way_are_told_as_bad_as_they_are() {
        let severity = |found: Option<Finding>| found.map(|finding| finding.severity);
        let of = [Tables::There, Tables::ToBeMade, Tables::NotToBeMade, Tables::OfVersion { found: 2, known: 1 }];
        let told = [None, Some(Severity::Note), Some(Severity::Error), Some(Severity::Error)];
        assert_eq!(of.map(|one| severity(tables(one))), told);
        let answered = |ms| Seen { tables: Tables::There, answer: Duration::from_millis(ms) };
        assert_eq!([4, 5].map(|ms| severity(far(&answered(ms)))), [None, Some(Severity::Warning)]);
    }
}
