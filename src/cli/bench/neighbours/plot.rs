//! The hour as a picture: one panel a figure, one under the other, over the same time. What stays true: a second without
//! a figure is a gap in its line, and each panel says its greatest value.

use super::sample::Sample;

const WIDTH: f64 = 1200.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 40.0;
/// One panel, and what is between two.
const HEIGHT: f64 = 130.0;
const BETWEEN: f64 = 36.0;
/// The least value of a panel whose steps are powers of ten.
const LEAST: f64 = 0.1;

/// A line's name, colour and values.
type Line<'a> = (&'a str, &'a str, &'a dyn Fn(&Sample) -> Option<f64>);

struct Panel<'a> {
    title: &'a str,
    /// Whether its steps are powers of ten.
    powers: bool,
    lines: &'a [Line<'a>],
}

/// The picture, as SVG.
pub fn svg(title: &str, samples: &[Sample]) -> String {
    let half = |pair: Option<[f64; 2]>| pair.map(|[p50, _]| p50);
    let most = |pair: Option<[f64; 2]>| pair.map(|[_, p99]| p99);
    let (calm, loud) = ("#3b78b8", "#c8502d");
    let panels = [
        Panel {
            title: "publish, ms: p50 and p99 of each second",
            powers: true,
            lines: &[
                ("p99", loud, &|sample| most(sample.publish_ms)),
                ("p50", calm, &|sample| half(sample.publish_ms)),
            ],
        },
        Panel {
            title: "delivery, ms: p50 and p99 of each second",
            powers: true,
            lines: &[
                ("p99", loud, &|sample| most(sample.delivery_ms)),
                ("p50", calm, &|sample| half(sample.delivery_ms)),
            ],
        },
        Panel {
            title: "healthy events under way or undelivered",
            powers: false,
            lines: &[("", loud, &|sample| Some(sample.undelivered as f64))],
        },
        Panel { title: "memory, MiB", powers: false, lines: &[("", calm, &|sample| Some(sample.rss_mib))] },
        Panel { title: "descriptors", powers: false, lines: &[("", calm, &|sample| Some(sample.descriptors as f64))] },
        Panel { title: "on disk, MiB", powers: false, lines: &[("", calm, &|sample| Some(sample.disk_mib))] },
    ];
    let height = TOP + panels.len() as f64 * (HEIGHT + BETWEEN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{LEFT}\" y=\"16\" \
         font-size=\"14\">{title}</text>\n"
    );
    for (number, panel) in panels.iter().enumerate() {
        svg += &panel.svg(TOP + number as f64 * (HEIGHT + BETWEEN), samples);
    }
    svg + "</svg>\n"
}

impl Panel<'_> {
    fn svg(&self, top: f64, samples: &[Sample]) -> String {
        let values = |line: &Line| samples.iter().filter_map(line.2).fold(0.0, f64::max);
        let greatest = self.lines.iter().map(values).fold(0.0, f64::max);
        let scale = Scale::of(greatest, self.powers);
        let mut svg = format!("<text x=\"{LEFT}\" y=\"{}\">{} (at most {greatest:.1})</text>\n", top - 5.0, self.title);
        for step in scale.steps() {
            let y = top + HEIGHT * (1.0 - scale.part(step));
            svg += &format!(
                "<path d=\"M{LEFT} {y:.1}H{WIDTH}\" stroke=\"#ddd\"/><text x=\"{:.0}\" y=\"{:.1}\" \
                 text-anchor=\"end\">{step}</text>\n",
                LEFT - 6.0,
                y + 4.0
            );
        }
        let seconds = samples.last().map_or(1.0, |last| last.seconds.max(1.0));
        for tenth in 0..=10 {
            let x = LEFT + (WIDTH - LEFT - 40.0) * f64::from(tenth) / 10.0;
            let text = format!("{:.0} s", seconds * f64::from(tenth) / 10.0);
            svg += &format!(
                "<text x=\"{x:.0}\" y=\"{:.0}\" fill=\"#888\" font-size=\"10\">{text}</text>\n",
                top + HEIGHT + 12.0
            );
        }
        for (name, colour, value) in self.lines {
            let mut path = String::new();
            let mut pen = 'M';
            for sample in samples {
                let Some(value) = value(sample) else {
                    pen = 'M';
                    continue;
                };
                let x = LEFT + (WIDTH - LEFT - 40.0) * sample.seconds / seconds;
                path += &format!("{pen}{x:.1} {:.1}", top + HEIGHT * (1.0 - scale.part(value)));
                pen = 'L';
            }
            svg += &format!(
                "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1\"><title>{name}</title></path>\n"
            );
        }
        svg
    }
}

/// From values to heights.
struct Scale {
    least: f64,
    greatest: f64,
    powers: bool,
}

impl Scale {
    fn of(greatest: f64, powers: bool) -> Self {
        if powers {
            let above = 10_f64.powf(greatest.max(1.0).log10().ceil());
            return Self { least: LEAST, greatest: above, powers };
        }
        // A round number above: 1, 2 or 5 times a power of ten.
        let power = 10_f64.powf(greatest.max(1.0).log10().floor());
        let round = [1.0, 2.0, 5.0, 10.0].map(|times| times * power);
        let above = round.into_iter().find(|round| *round >= greatest).unwrap_or(greatest);
        Self { least: 0.0, greatest: above, powers }
    }

    /// How high a value is, from 0.0 to 1.0.
    fn part(&self, value: f64) -> f64 {
        let part = if self.powers {
            (value.max(self.least) / self.least).log10() / (self.greatest / self.least).log10()
        } else {
            value / self.greatest
        };
        part.clamp(0.0, 1.0)
    }

    fn steps(&self) -> Vec<f64> {
        if !self.powers {
            return vec![0.0, self.greatest / 2.0, self.greatest];
        }
        let steps = (self.greatest / self.least).log10().round() as i32;
        (0..=steps).map(|step| (self.least * 10_f64.powi(step) * 10.0).round() / 10.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_heights() {
        let scale = Scale::of(42.0, true);
        assert_eq!(scale.steps(), [0.1, 1.0, 10.0, 100.0]);
        assert!((scale.part(10.0) - 2.0 / 3.0).abs() < 1e-9 && scale.part(0.0) == 0.0 && scale.part(1e9) == 1.0);
        let scale = Scale::of(1100.0, false);
        assert_eq!(scale.steps(), [0.0, 1000.0, 2000.0]);
        assert!((scale.part(500.0) - 0.25).abs() < 1e-9);
    }

    #[test]
    fn a_second_without_a_figure_is_a_gap() {
        let sample = |seconds: f64, publish_ms| Sample {
            seconds,
            publish_ms,
            delivery_ms: None,
            sent: 0,
            undelivered: 0,
            rss_mib: 1.0,
            descriptors: 1,
            disk_mib: 1.0,
            neighbours: String::new(),
        };
        let samples = [sample(0.0, Some([1.0, 1.0])), sample(1.0, None), sample(2.0, Some([1.0, 1.0]))];
        let svg = svg("t", &samples);
        let lines: Vec<&str> = svg.lines().filter(|line| line.contains("fill=\"none\"")).collect();
        assert_eq!(lines.len(), 8);
        assert_eq!(lines[0].matches(['M', 'L']).count(), 2, "{}", lines[0]);
        assert!(!lines[0].contains('L') && lines[7].matches('L').count() == 2, "{lines:?}");
    }
}
