//! Small charts, drawn on the server as SVG: no script and no style of their own. Each says in words what it shows.

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
    html! {
        svg.chart.(class) viewBox={ "0 0 " (width) " " (height) } role="img" aria-label=(words) preserveAspectRatio="none" {
            title { (words) }
            @for (n, step) in steps.iter().enumerate() {
                @let (well, bad) = (tall(step.well), tall(step.bad));
                @let (x, wide) = (n as f64 * each, (each * 0.8).max(0.5));
                @if step.well > 0 {
                    rect.bar-well x=(round(x)) y=(round(height as f64 - well)) width=(round(wide)) height=(round(well)) {}
                }
                @if step.bad > 0 {
                    rect.bar-bad x=(round(x)) y=(round((height as f64 - well - bad).max(0.0))) width=(round(wide)) height=(round(bad)) {}
                }
            }
        }
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
