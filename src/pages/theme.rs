//! The operator's colour, made readable: as text and under text, on a light and on a dark ground.

/// The colours that the accent is seen on: `--ground` and `--raised` of `base.css`, in the light and in the dark
/// scheme.
const LIGHT: [[u8; 3]; 2] = [[0xff, 0xff, 0xff], [0xf4, 0xf5, 0xf8]];
const DARK: [[u8; 3]; 2] = [[0x12, 0x15, 0x1b], [0x1c, 0x21, 0x2a]];

/// WCAG 2.2, success criterion 1.4.3, and a little for rounding.
const CONTRAST: f64 = 4.6;

/// The style sheet that sets `--accent`, and `--on-accent` for text on it.
pub(super) fn style_sheet(accent: [u8; 3]) -> String {
    let light = hexadecimal(readable(accent, &LIGHT, [0; 3]));
    let dark = hexadecimal(readable(accent, &DARK, [255; 3]));
    let [on_light, on_dark] = [LIGHT[0], DARK[0]].map(hexadecimal);
    format!(":root{{--accent:light-dark({light},{dark});--on-accent:light-dark({on_light},{on_dark})}}\n")
}

/// The colour nearest to this one, on the way to `end`, that stands out against each of the grounds.
fn readable(colour: [u8; 3], grounds: &[[u8; 3]], end: [u8; 3]) -> [u8; 3] {
    let shades = (0..=100_u16).map(|percent| mixed(colour, end, percent));
    let stands_out = |shade: &[u8; 3]| grounds.iter().all(|ground| contrast(*shade, *ground) >= CONTRAST);
    shades.into_iter().find(stands_out).unwrap_or(end)
}

fn mixed(from: [u8; 3], to: [u8; 3], percent: u16) -> [u8; 3] {
    let channel = |at: usize| (u16::from(from[at]) * (100 - percent) + u16::from(to[at]) * percent) / 100;
    [0, 1, 2].map(|at| u8::try_from(channel(at)).unwrap_or(u8::MAX))
}

/// WCAG's contrast ratio, 1 to 21.
fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn luminance(colour: [u8; 3]) -> f64 {
    let [red, green, blue] = colour.map(|channel| {
        let share = f64::from(channel) / 255.0;
        if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn hexadecimal([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_accent_is_readable_in_both_schemes() {
        for accent in [[0; 3], [255; 3], [255, 255, 0], [0, 0, 128], [0x23, 0x57, 0xd9], [128, 128, 128], [255, 0, 0]] {
            for (grounds, end) in [(LIGHT, [0; 3]), (DARK, [255; 3])] {
                let shade = readable(accent, &grounds, end);
                assert!(grounds.iter().all(|ground| contrast(shade, *ground) >= 4.5), "{accent:?} on {grounds:?}");
            }
        }
    }

    #[test]
    fn one_that_is_readable_stays_as_it_is() {
        assert_eq!(readable([0x23, 0x57, 0xd9], &LIGHT, [0; 3]), [0x23, 0x57, 0xd9]);
    }

    #[test]
    fn the_grounds_are_those_of_the_style_sheet() {
        let base = include_str!("assets/base.css");
        for (name, at) in [("ground", 0), ("raised", 1)] {
            let [light, dark] = [LIGHT[at], DARK[at]].map(hexadecimal);
            assert!(base.contains(&format!("--{name}: light-dark({light}, {dark});")), "{name}");
        }
    }
}
