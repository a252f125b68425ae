//! A colour that somebody chose for a page, and what it becomes so that everybody can read what is written in it or on it. What
//! stays true: contrast is WCAG's, and what is made here has the 4.5 that its level AA asks for.

use serde::{Deserialize, Serialize};

use super::Invalid;

/// The contrast of text that WCAG asks for (AA).
pub const CONTRAST_MIN: f64 = 4.5;
/// Between a colour and black or white, so many are looked at.
const STEPS: u8 = 64;

/// Red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Colour(pub [u8; 3]);

/// Black.
pub const BLACK: Colour = Colour([0; 3]);
/// White.
pub const WHITE: Colour = Colour([255; 3]);

impl Colour {
    /// Reads `#rrggbb`, or `#rgb` for short.
    pub fn parse(field: &str, text: &str) -> Result<Self, Invalid> {
        Self::read(text).ok_or_else(|| Invalid::new(field, "must be a colour such as #2f4fd0"))
    }

    /// The same, or nothing.
    pub fn read(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        let part = |at: usize| match digits.len() {
            6 => u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok(),
            3 => u8::from_str_radix(&digits[at..=at], 16).ok().map(|digit| digit * 17),
            _ => None,
        };
        Some(Self([part(0)?, part(1)?, part(2)?]))
    }

    /// As CSS writes it.
    pub fn spell(self) -> String {
        let Self([red, green, blue]) = self;
        format!("#{red:02x}{green:02x}{blue:02x}")
    }

    /// The contrast between two: 1, of the same, to 21, of black and white.
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// Black or white: which is read better on it. One of the two always has the contrast that text needs.
    pub fn text_on(self) -> Self {
        if self.contrast(WHITE) >= self.contrast(BLACK) { WHITE } else { BLACK }
    }

    /// It, or the nearest between it and black (on what is light) or white (on what is dark) that can be read on all of `papers`.
    pub fn legible_on(self, papers: &[Self]) -> Self {
        let end = papers.first().map_or(BLACK, |paper| paper.text_on());
        let fits = |colour: &Self| papers.iter().all(|paper| colour.contrast(*paper) >= CONTRAST_MIN);
        (0..=STEPS).map(|step| self.mixed(end, step)).find(fits).unwrap_or(end)
    }

    fn mixed(self, end: Self, step: u8) -> Self {
        let mix = |from: u8, to: u8| {
            let (step, all) = (u16::from(step), u16::from(STEPS));
            u8::try_from((u16::from(from) * (all - step) + u16::from(to) * step) / all)
                .expect("it is between two bytes")
        };
        Self([0, 1, 2].map(|part| mix(self.0[part], end.0[part])))
    }

    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Colour {
        Colour::read(text).expect("a colour")
    }

    #[test]
    fn colours_are_read_as_css_writes_them() {
        assert_eq!((read("#2f4fd0"), read("#fA0").spell()), (Colour([0x2f, 0x4f, 0xd0]), "#ffaa00".into()));
        for bad in ["", "#", "2f4fd0", "#2f4fd", "#2f4fd00", "#ggg", "red", "#é12", "#12345é", "#fff;}"] {
            assert_eq!(Colour::read(bad), None, "{bad}");
        }
        assert_eq!(Colour::parse("portal.colour", "red").map_err(|wrong| wrong.field), Err("portal.colour".into()));
    }

    #[test]
    fn contrast_is_that_of_the_guidelines() {
        assert!((BLACK.contrast(WHITE) - 21.0).abs() < 1e-9 && (WHITE.contrast(WHITE) - 1.0).abs() < 1e-9);
        // The lightest grey that may stand on white, and the next.
        assert!(read("#767676").contrast(WHITE) >= CONTRAST_MIN && read("#777777").contrast(WHITE) < CONTRAST_MIN);
        assert_eq!([read("#ffe000").text_on(), read("#2f4fd0").text_on()], [BLACK, WHITE]);
    }

    #[test]
    fn what_can_be_read_stays_and_what_cannot_is_darkened_or_lightened() {
        let (light, dark) = ([WHITE, read("#eceff5")], [read("#13161b"), read("#232833")]);
        assert_eq!(read("#2f4fd0").legible_on(&light), read("#2f4fd0"));
        assert!(read("#ffe000").legible_on(&light).luminance() < read("#ffe000").luminance());
        assert_eq!(read("#ffe000").legible_on(&dark), read("#ffe000"));
        assert!(read("#101080").legible_on(&dark).luminance() > read("#101080").luminance());
    }

    proptest! {
        #[test]
        fn every_colour_becomes_one_that_is_read(parts in any::<[u8; 3]>()) {
            let (colour, light, dark) = (Colour(parts), [WHITE, read("#eceff5")], [read("#13161b"), read("#232833")]);
            prop_assert!(colour.contrast(colour.text_on()) >= CONTRAST_MIN);
            for papers in [light, dark] {
                let legible = colour.legible_on(&papers);
                prop_assert!(papers.iter().all(|paper| legible.contrast(*paper) >= CONTRAST_MIN));
                prop_assert!(legible.contrast(legible.text_on()) >= CONTRAST_MIN);
            }
            prop_assert_eq!(Colour::read(&colour.spell()), Some(colour));
        }
    }
}
