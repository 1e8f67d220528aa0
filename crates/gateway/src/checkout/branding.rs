//! A Partner's name, logo and colours, and whether they can be read. Pure.
//!
//! Colours arrive as `#rrggbb` and leave as a stylesheet of custom properties: nothing that a Partner sends becomes part of a page
//! without having been parsed.

use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

use crate::partners::ShownAs;

/// The least contrast of text (WCAG 2.2, 1.4.3).
pub const CONTRAST_MIN: f64 = 4.5;
/// The family's surface in light colours, and in dark ones.
const WHITE: Colour = Colour([255, 255, 255]);
const DARK_SURFACE: Colour = Colour([0x19, 0x1f, 0x27]);
const BLACK: Colour = Colour([0, 0, 0]);
/// The family's text: what a page's colour has to carry.
const INK: Colour = Colour([0x17, 0x20, 0x2e]);
const MUTED: Colour = Colour([0x5b, 0x65, 0x73]);

/// How a Partner shows itself. All optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Branding {
    /// In place of the Partner's trade name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A picture, by https.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo_url: Option<String>,
    /// Buttons, links, what is chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accent_color: Option<Colour>,
    /// The page behind the cards; in light colours only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background_color: Option<Colour>,
}

/// A colour of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour([u8; 3]);

impl Colour {
    /// `#rrggbb`, in either case.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        let mut parts = [0; 3];
        hex::decode_to_slice(digits, &mut parts).ok()?;
        Some(Self(parts))
    }

    /// `#rrggbb`.
    pub fn text(self) -> String {
        format!("#{}", hex::encode(self.0))
    }

    /// Relative luminance (WCAG 2.2).
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let share = f64::from(part) / 255.0;
            if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// From 1 to 21.
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// `percent` of the way to another colour.
    fn towards(self, other: Self, percent: u16) -> Self {
        let mut mixed = [0; 3];
        for (place, part) in mixed.iter_mut().enumerate() {
            let (from, to) = (u16::from(self.0[place]), u16::from(other.0[place]));
            *part = u8::try_from((from * (100 - percent) + to * percent) / 100).unwrap_or(u8::MAX);
        }
        Self(mixed)
    }

    /// The nearest colour on the way to `light` that can be read on `surface`.
    fn readable_on(self, surface: Self, light: Self) -> Self {
        (0..=100)
            .step_by(5)
            .map(|percent| self.towards(light, percent))
            .find(|colour| colour.contrast(surface) >= CONTRAST_MIN)
            .unwrap_or(light)
    }

    /// Black or white: one of them can be read on any colour.
    fn ink(self) -> Self {
        if self.contrast(WHITE) >= self.contrast(BLACK) { WHITE } else { BLACK }
    }
}

impl Serialize for Colour {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for Colour {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("a colour reads #rrggbb"))
    }
}

impl Branding {
    /// What the Partner is known by, where nothing was said for this page.
    pub(crate) fn or(self, known: ShownAs) -> Self {
        Self { name: self.name.or(known.name), logo_url: self.logo_url.or(known.logo_url), ..self }
    }

    /// Fields that cannot be read on what they stand on, and why.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let background = self.background_color.unwrap_or(WHITE);
        let too_little = |one: Colour, two: Colour| one.contrast(two) < CONTRAST_MIN;
        if let Some(accent) = self.accent_color {
            for (surface, what) in [(WHITE, "white"), (background, "background_color")] {
                if too_little(accent, surface) {
                    let had = accent.contrast(surface);
                    let reason =
                        format!("must have a contrast of {CONTRAST_MIN} to {what}, had {had:.1}: take a darker one");
                    faults.push(("accent_color", reason));
                    break;
                }
            }
        }
        if too_little(background, INK) || too_little(background, MUTED) {
            let had = background.contrast(MUTED).min(background.contrast(INK));
            let reason =
                format!("must be a light colour, on which text has a contrast of {CONTRAST_MIN}, had {had:.1}");
            faults.push(("background_color", reason));
        }
        faults
    }

    /// The stylesheet that puts them on; empty if there are none.
    pub fn stylesheet(&self) -> String {
        let mut css = String::new();
        if let Some(background) = self.background_color {
            let paper = background.text();
            // Dark pages stay dark: a light paper would blind, and its text could not be read.
            let _ = write!(
                css,
                ":root[data-theme=\"light\"]{{--paper:{paper}}}@media (prefers-color-scheme:light){{:root:not([data-theme=\"dark\"]){{--paper:{paper}}}}}"
            );
        }
        if let Some(accent) = self.accent_color {
            let rules = |accent: Colour, surface: Colour, strong: Colour| {
                format!(
                    "--accent:{};--accent-strong:{};--accent-soft:{};--on-accent:{}",
                    accent.text(),
                    accent.towards(strong, 15).text(),
                    surface.towards(accent, 10).text(),
                    accent.ink().text()
                )
            };
            let light = rules(accent, WHITE, BLACK);
            let dark = rules(accent.readable_on(DARK_SURFACE, WHITE), DARK_SURFACE, WHITE);
            let _ = write!(
                css,
                ":root{{{light}}}:root[data-theme=\"dark\"]{{{dark}}}@media (prefers-color-scheme:dark){{:root:not([data-theme=\"light\"]){{{dark}}}}}"
            );
        }
        css
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colour(text: &str) -> Colour {
        Colour::parse(text).unwrap()
    }

    #[test]
    fn only_six_hexadecimal_digits_are_a_colour() {
        assert_eq!(colour("#1F6f63").text(), "#1f6f63");
        for wrong in ["1f6f63", "#1f6", "#1f6f6g", "#1f6f63;}", "red", "", "#", "#1f6f6\u{e9}", "url(#1f6f63)"] {
            assert_eq!(Colour::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn contrast_is_that_of_the_recommendation() {
        assert!((colour("#000000").contrast(WHITE) - 21.0).abs() < 0.01);
        assert!((colour("#777777").contrast(WHITE) - 4.48).abs() < 0.01);
        assert!((WHITE.contrast(WHITE) - 1.0).abs() < 0.01);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let names = |accent: &str, background: Option<&str>| -> Vec<&str> {
            let branding = Branding {
                accent_color: Some(colour(accent)),
                background_color: background.map(colour),
                ..Branding::default()
            };
            branding.faults().into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names("#1f6f63", None), [""; 0]);
        assert_eq!(names("#ffdd00", None), ["accent_color"]);
        assert_eq!(names("#1f6f63", Some("#202020")), ["accent_color", "background_color"]);
        assert_eq!(names("#003366", Some("#fff4e0")), [""; 0]);
    }

    #[test]
    fn every_accent_that_passes_can_be_read_in_dark_colours_and_carries_its_words() {
        for red in (0..=255).step_by(51) {
            for green in (0..=255).step_by(51) {
                for blue in (0..=255).step_by(51) {
                    let accent = Colour([red, green, blue]);
                    assert!(accent.contrast(accent.ink()) >= CONTRAST_MIN, "{}", accent.text());
                    let dark = accent.readable_on(DARK_SURFACE, WHITE);
                    assert!(dark.contrast(DARK_SURFACE) >= CONTRAST_MIN, "{}", accent.text());
                }
            }
        }
        let css = Branding { accent_color: Some(colour("#003366")), ..Branding::default() }.stylesheet();
        assert!(css.contains("--accent:#003366") && css.contains("--on-accent:#ffffff"), "{css}");
        assert_eq!(Branding::default().stylesheet(), "");
    }
}
