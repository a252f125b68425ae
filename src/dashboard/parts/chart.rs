//! Small charts, drawn on the server as SVG: no script and no style of their own. Each says in words what it shows.

use std::fmt::Write;

use maud::{Markup, html};

/// A mark of a chart: so many that went well, and so many that did not, in one step of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Step {
    /// Went well.
    pub well: u64,
    /// Did not.
    pub bad: u64,
}

/// Bars in a row of a table: as wide as 120 px.
pub fn spark(steps: &[Step], words: &str) -> Markup {
    bars(steps, 120, 24, "spark", words)
}

/// Bars as wide as the page.
pub fn wide(steps: &[Step], words: &str) -> Markup {
    bars(steps, 960, 120, "wide", words)
}

fn bars(steps: &[Step], width: usize, height: usize, class: &str, words: &str) -> Markup {
    let most = steps.iter().map(|step| step.well + step.bad).max().unwrap_or(0).max(1);
    let each = width as f64 / steps.len().max(1) as f64;
    let tall = |count: u64| if count == 0 { 0.0 } else { (count as f64 / most as f64 * height as f64).max(1.5) };
    let (mut well, mut bad) = (String::new(), String::new());
    for (n, step) in steps.iter().enumerate() {
        let (x, wide, below) = (n as f64 * each, (each * 0.8).max(0.5), height as f64 - tall(step.well));
        bar(&mut well, x, height as f64, wide, tall(step.well));
        bar(&mut bad, x, below, wide, tall(step.bad).min(below));
    }
    html! {
        svg.chart.(class) viewBox={ "0 0 " (width) " " (height) } role="img" aria-label=(words) preserveAspectRatio="none" {
            title { (words) }
            @if !well.is_empty() { path.bar-well d=(well) {} }
            @if !bad.is_empty() { path.bar-bad d=(bad) {} }
        }
    }
}

/// Draws a bar from its foot up. All bars of a kind are one path: a list has a chart in each row.
fn bar(path: &mut String, x: f64, foot: f64, wide: f64, tall: f64) {
    if tall > 0.0 {
        let (tall, wide) = (round(tall), round(wide));
        write!(path, "M{} {}v-{tall}h{wide}v{tall}z", round(x), round(foot)).expect("a text takes all");
    }
}

/// A part of a bar that shows where time went: from where, how long, and what it is.
#[derive(Debug, Clone, Copy)]
pub struct Phase<'a> {
    /// `resolve`, `connect`, `tls`, `wait`, `body`: its colour.
    pub kind: &'a str,
    /// When it began, in milliseconds from the start of all.
    pub from_ms: f64,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
}

/// A waterfall: the phases of an attempt one after the other, on a scale of `total_ms`.
pub fn waterfall(phases: &[Phase<'_>], total_ms: f64, words: &str) -> Markup {
    let scale = 600.0 / total_ms.max(0.001);
    html! {
        svg.chart.waterfall viewBox="0 0 600 16" role="img" aria-label=(words) preserveAspectRatio="none" {
            title { (words) }
            @for phase in phases {
                rect.{ "phase-" (phase.kind) } x=(round(phase.from_ms * scale)) y="2" height="12"
                    width=(round((phase.took_ms * scale).max(1.0))) {}
            }
        }
    }
}

fn round(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_on_each_other_and_what_is_nothing_is_not_drawn() {
        let steps = [Step { well: 3, bad: 1 }, Step::default(), Step { well: 0, bad: 1 }];
        let drawn = spark(&steps, "<words>").into_string();
        let well = "<path class=\"bar-well\" d=\"M0.0 24.0v-18.0h32.0v18.0z\"></path>";
        let bad = "<path class=\"bar-bad\" d=\"M0.0 6.0v-6.0h32.0v6.0zM80.0 24.0v-6.0h32.0v6.0z\"></path>";
        assert!(drawn.contains(well) && drawn.contains(bad) && drawn.contains("&lt;words&gt;"), "{drawn}");
        assert!(!spark(&[Step::default(); 24], "").into_string().contains("<path"));
    }
}
