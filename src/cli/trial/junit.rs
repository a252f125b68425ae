//! What was found as JUnit XML, which CI systems show. What stays true: each case is there, also one that does not apply.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::cli::error::CliError;
use crate::trial::{Expect, Finding, Kind, Subject, Verdict};

/// The whole file.
pub fn write(subject: &Subject, findings: &[Finding]) -> Result<String, CliError> {
    let dialect = subject.dialect();
    let mut report = Report::new(format!("hookwheel dialect test {}", dialect.name));
    for (name, expect) in [("must be taken", Expect::Taken), ("must be refused", Expect::Refused)] {
        let mut suite = TestSuite::new(name);
        let own = findings.iter().filter(|finding| finding.case.kind.expect() == expect);
        suite.add_test_cases(own.map(|finding| case(finding, subject)));
        report.add_test_suite(suite);
    }
    report.to_string().map_err(|error| CliError::Failed(format!("JUnit XML: {error}")))
}

fn case(finding: &Finding, subject: &Subject) -> TestCase {
    let (found, dialect) = (&finding.case, subject.dialect());
    let told = || format!("{}\n{}", finding.meaning(), finding.remedy(dialect));
    let status = match &finding.verdict {
        Verdict::Passed | Verdict::Warned(_) => TestCaseStatus::success(),
        Verdict::Failed(why) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(why).set_type(found.name.clone()).set_description(told());
            status
        }
        Verdict::NotSent(why) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(why).set_type(found.name.clone());
            status
        }
        Verdict::NotApplicable(why) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(why);
            status
        }
    };
    let mut case = TestCase::new(found.title.clone(), status);
    case.set_classname(format!("{}.{}", dialect.name, found.name));
    if let Verdict::Warned(why) = &finding.verdict {
        case.set_system_out(format!("{why}\n{}", told()));
    }
    // That of the slowest was counted already.
    let took = finding.duration_ms.filter(|_| found.kind != Kind::InTime);
    case.set_time(Duration::from_millis(took.unwrap_or_default().into()));
    case
}
