//! A bar that shows how much is used of what there may be.

use maud::{Markup, html};

/// From this share on somebody should look.
const TIGHT: f64 = 0.8;

/// So much is used of so much: `words` says both.
pub fn gauge(used: u64, limit: u64, words: &str) -> Markup {
    let share = (used as f64 / limit.max(1) as f64).min(1.0);
    let class = if share >= 1.0 {
        "full"
    } else if share >= TIGHT {
        "tight"
    } else {
        "room"
    };
    html! {
        svg.chart.gauge.(class) viewBox="0 0 200 8" role="img" aria-label=(words) preserveAspectRatio="none" {
            rect.whole x="0" y="0" width="200" height="8" rx="2" {}
            rect.used x="0" y="0" width=(format!("{:.1}", share * 200.0)) height="8" rx="2" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_what_is_used_and_never_longer_than_all() {
        let of = |used, limit| gauge(used, limit, "").into_string();
        assert!(of(5, 10).contains("room") && of(5, 10).contains("width=\"100.0\""));
        assert!(of(8, 10).contains("tight") && of(10, 10).contains("full"));
        assert!(of(30, 10).contains("full") && !of(30, 10).contains("width=\"600.0\""));
    }
}
