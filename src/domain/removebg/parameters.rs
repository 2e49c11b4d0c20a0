//! The rules of the parameters that are texts.

use crate::domain::{
    composition::{Background, Channels, Composition, Encoding, Length, Margins, Percent, Position, Region},
    form::Rgba,
    order_fault::OrderFault,
    picture_url::PictureUrl,
};

/// Every parameter that is a text.
pub const NAMES: [&str; 17] = [
    "image_url",
    "size",
    "format",
    "channels",
    "bg_color",
    "bg_image_url",
    "crop",
    "crop_margin",
    "scale",
    "position",
    "roi",
    "type",
    "type_level",
    "semitransparency",
    "add_shadow",
    "shadow_type",
    "shadow_opacity",
];

/// Pixels of the result by the names of sizes; the first is the default.
const SIZES: [(&str, u64); 9] = [
    ("preview", 250_000),
    ("small", 250_000),
    ("regular", 250_000),
    ("medium", 1_500_000),
    ("hd", 4_000_000),
    ("full", 25_000_000),
    ("4k", 25_000_000),
    ("50mp", 50_000_000),
    ("auto", 50_000_000),
];

/// Pixels of the largest PNG.
const MOST_PNG: u64 = 10_000_000;

/// The most that may be left around a cropped subject on each side.
const MOST_MARGIN_PIXELS: u32 = 500;
const MOST_MARGIN_PERCENT: f64 = 50.0;

/// The smallest scale of a subject.
const LEAST_SCALE: f64 = 10.0;

/// Where a subject is put that is scaled.
const CENTRE: Position = Position { x: Percent(50.0), y: Percent(50.0) };

/// The texts of a request, as sent; each name once.
#[derive(Debug, Default)]
pub(super) struct Texts(pub(super) Vec<(&'static str, String)>);

/// What the texts say.
#[derive(Debug)]
pub(super) struct Parameters {
    pub(super) composition: Composition,
    pub(super) image_url: Option<PictureUrl>,
    pub(super) background_url: Option<PictureUrl>,
    pub(super) names_type: bool,
    /// Parameters that are known and mean nothing beside the others.
    pub(super) without_effect: Vec<&'static str>,
}

impl Texts {
    pub(super) fn is_given(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The value without the white space around it, if it is given: an empty one is not.
    fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| *known == name)?;
        Some(value.trim()).filter(|value| !value.is_empty())
    }
}

/// What the texts mean, and everything that is wrong with them. What is wrong counts as not given. `has_background_file`
/// is whether there is a background beside them.
pub(super) fn judge(texts: &Texts, has_background_file: bool) -> (Parameters, Vec<OrderFault>) {
    let mut reading = Reading { texts, faults: Vec::new() };
    let image_url = reading.url("image_url");
    let background_url = reading.url("bg_image_url");
    let most_pixels = reading.value("size", size).unwrap_or(SIZES[0].1);
    let encoding = reading.parameter("format", format).unwrap_or(Encoding::Auto);
    let channels = reading.value("channels", channels).unwrap_or(Channels::Rgba);
    let colour = reading.parameter("bg_color", colour);
    let backgrounds = [texts.get("bg_color"), texts.get("bg_image_url")].into_iter().flatten().count();
    let backgrounds = backgrounds + usize::from(has_background_file);
    if backgrounds > 1 || (backgrounds == 1 && channels == Channels::Alpha) {
        reading.faults.push(OrderFault::MultipleBackgrounds);
    }
    let crops = reading.parameter("crop", boolean).unwrap_or_default();
    let margins = reading.parameter("crop_margin", margins);
    let scale = reading.parameter("scale", scale).and_then(Change::into_value);
    let position = match reading.parameter("position", position) {
        Some(position) => position.into_value(),
        None => scale.map(|_| CENTRE),
    };
    let region = reading.parameter("roi", region);
    reading.parameter("semitransparency", boolean);
    reading.shadow();
    let has_picture = has_background_file || background_url.is_some();
    let background = match colour {
        _ if has_picture => Background::Picture,
        Some(colour) => Background::Colour(colour),
        None => Background::None,
    };
    let none = Length::Pixels(0);
    let no_margin = Margins { top: none, right: none, bottom: none, left: none };
    let composition = Composition {
        region,
        crop: crops.then(|| margins.unwrap_or(no_margin)),
        scale,
        position,
        background,
        channels,
        most_pixels,
        most_png_pixels: most_pixels.min(MOST_PNG),
        encoding,
    };
    let names_type = texts.get("type_level").is_none_or(|level| !level.eq_ignore_ascii_case("none"));
    let without_effect = margins.filter(|_| !crops).map(|_| "crop_margin").into_iter().collect();
    (Parameters { composition, image_url, background_url, names_type, without_effect }, reading.faults)
}

/// What is made of a size or a place.
enum Change<T> {
    Original,
    To(T),
}

impl<T> Change<T> {
    fn into_value(self) -> Option<T> {
        match self {
            Self::Original => None,
            Self::To(value) => Some(value),
        }
    }
}

struct Reading<'a> {
    texts: &'a Texts,
    faults: Vec<OrderFault>,
}

impl Reading<'_> {
    fn parameter<T>(&mut self, name: &'static str, rule: fn(&str) -> Option<T>) -> Option<T> {
        self.read(name, rule, OrderFault::InvalidParameter)
    }

    fn value<T>(&mut self, name: &'static str, rule: fn(&str) -> Option<T>) -> Option<T> {
        self.read(name, rule, OrderFault::InvalidValue)
    }

    fn url(&mut self, name: &'static str) -> Option<PictureUrl> {
        self.read(name, |value| PictureUrl::parse(value).ok(), OrderFault::InvalidUrl)
    }

    fn read<T>(
        &mut self,
        name: &'static str,
        rule: fn(&str) -> Option<T>,
        fault: fn(&'static str) -> OrderFault,
    ) -> Option<T> {
        let read = rule(self.texts.get(name)?);
        if read.is_none() {
            self.faults.push(fault(name));
        }
        read
    }

    /// Only cars get a shadow there, and nothing gets one here: what would show that is refused.
    fn shadow(&mut self) {
        const WHY: &str = "No shadows are made here.";
        let adds = self.parameter("add_shadow", boolean).unwrap_or_default();
        let is_car = self.texts.get("type").is_some_and(|kind| kind.eq_ignore_ascii_case("car"));
        if adds && is_car {
            self.faults.push(OrderFault::Unsupported("add_shadow", WHY));
        }
        if self.texts.get("shadow_type").is_some_and(|kind| !kind.eq_ignore_ascii_case("none")) {
            self.faults.push(OrderFault::Unsupported("shadow_type", WHY));
        }
    }
}

fn size(value: &str) -> Option<u64> {
    SIZES.iter().find(|(name, _)| value.eq_ignore_ascii_case(name)).map(|(_, pixels)| *pixels)
}

fn format(value: &str) -> Option<Encoding> {
    match value.to_ascii_lowercase().as_str() {
        "auto" => Some(Encoding::Auto),
        "png" => Some(Encoding::Png),
        "jpg" | "jpeg" => Some(Encoding::Jpeg),
        "webp" => Some(Encoding::Webp),
        "zip" => Some(Encoding::Zip),
        _ => None,
    }
}

fn channels(value: &str) -> Option<Channels> {
    match value.to_ascii_lowercase().as_str() {
        "rgba" => Some(Channels::Rgba),
        "alpha" => Some(Channels::Alpha),
        _ => None,
    }
}

/// Digits need no `#`. No name of a colour consists of such digits alone.
fn colour(value: &str) -> Option<Rgba> {
    Rgba::parse(value).or_else(|| Rgba::parse(&format!("#{value}")))
}

fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn words(value: &str) -> Vec<&str> {
    value.split([' ', ',', '\t']).filter(|word| !word.is_empty()).collect()
}

/// `10%`; finite and not negative.
fn percent(word: &str) -> Option<f64> {
    let number = word.strip_suffix('%')?;
    let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    number.parse().ok().filter(|_| plain)
}

/// `30px` or `10%`; what has no unit is in pixels.
fn length(word: &str) -> Option<Length> {
    if word.ends_with('%') {
        return percent(word).map(|number| Length::Percent(Percent(number)));
    }
    let number = word.strip_suffix("px").unwrap_or(word);
    let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|_| plain).map(Length::Pixels)
}

/// One value for all sides, two for above and below and for the sides, or four from above clockwise.
fn margins(value: &str) -> Option<Margins> {
    let lengths: Vec<Length> = words(value).into_iter().map(length).collect::<Option<_>>()?;
    let fits = |length: &Length| match length {
        Length::Pixels(pixels) => *pixels <= MOST_MARGIN_PIXELS,
        Length::Percent(Percent(number)) => *number <= MOST_MARGIN_PERCENT,
    };
    if !lengths.iter().all(fits) {
        return None;
    }
    match lengths[..] {
        [all] => Some(Margins { top: all, right: all, bottom: all, left: all }),
        [vertical, horizontal] => {
            Some(Margins { top: vertical, right: horizontal, bottom: vertical, left: horizontal })
        }
        [top, right, bottom, left] => Some(Margins { top, right, bottom, left }),
        _ => None,
    }
}

fn scale(value: &str) -> Option<Change<Percent>> {
    if value.eq_ignore_ascii_case("original") {
        return Some(Change::Original);
    }
    percent(value).filter(|number| (LEAST_SCALE..=100.0).contains(number)).map(|number| Change::To(Percent(number)))
}

fn position(value: &str) -> Option<Change<Position>> {
    if value.eq_ignore_ascii_case("original") {
        return Some(Change::Original);
    }
    if value.eq_ignore_ascii_case("center") {
        return Some(Change::To(CENTRE));
    }
    let part = |word: &str| percent(word).filter(|number| *number <= 100.0).map(Percent);
    match words(value)[..] {
        [both] => part(both).map(|both| Change::To(Position { x: both, y: both })),
        [x, y] => Some(Change::To(Position { x: part(x)?, y: part(y)? })),
        _ => None,
    }
}

fn region(value: &str) -> Option<Region> {
    let lengths: Vec<Length> = words(value).into_iter().map(length).collect::<Option<_>>()?;
    let fits = |length: &Length| match length {
        // Whether it is in the picture is judged beside the picture.
        Length::Pixels(_) => true,
        Length::Percent(Percent(number)) => *number <= 100.0,
    };
    match lengths[..] {
        [x1, y1, x2, y2] if lengths.iter().all(fits) => Some(Region { x1, y1, x2, y2 }),
        _ => None,
    }
}
