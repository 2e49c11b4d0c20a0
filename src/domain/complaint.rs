//! The faults that one field can have, and the contract's words for them (sections 1 and 4, byte for byte).

#[cfg(test)]
mod tests;

/// One fault of one field.
#[derive(Clone, Debug, PartialEq)]
pub enum Complaint {
    /// There is no `image` part with a filename parameter.
    NoImage,
    /// The filename is empty.
    NoFileSelected,
    /// The extension, with its dot, is not of a supported type.
    UnsupportedType(String),
    /// Unknown signature, or a known one whose size cannot be read or is zero.
    CorruptImage,
    /// Zero bytes.
    EmptyFile,
    /// This many bytes, above 50 MB.
    FileTooLarge(u64),
    /// This many pixels wide.
    TooWide(u32),
    /// This many pixels high.
    TooTall(u32),
    /// The field's value is no integer.
    NotAnInteger(&'static str, String),
    /// The field's value, as sent, is below this minimum.
    BelowRange(&'static str, u64, String),
    /// The field's value, as sent, is above this maximum.
    AboveRange(&'static str, u64, String),
    /// The field's value, as sent, is outside this range.
    OutsideRange(&'static str, u64, u64, String),
    /// The field's value is no number.
    NotANumber(&'static str, String),
    /// Degrees outside −360 to 360.
    AngleOutOfRange(f64),
    /// No output format.
    BadFormat(String),
    /// No colour.
    BadColour(String),
    /// `mask=true` together with `bg_color`.
    MaskWithColour,
    /// The field's value is no boolean.
    NotABoolean(&'static str, String),
    /// `periodStartUnix` together with `year` or `month`.
    PeriodWithMonth,
    /// There is no `file` (of `POST /api/remove`).
    MissingFile,
    /// The parameter must be this. Its value is not told, as it may be one of a query.
    MustBe(&'static str, &'static str),
    /// Whatever the parameter says, it is not done here.
    NotAccepted(&'static str),
    /// What is at the address in `url` could not be had.
    NotFetched,
}

impl Complaint {
    /// The field or query parameter that the complaint is about.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self {
            Self::NoImage
            | Self::NoFileSelected
            | Self::UnsupportedType(_)
            | Self::CorruptImage
            | Self::EmptyFile
            | Self::FileTooLarge(_)
            | Self::TooWide(_)
            | Self::TooTall(_) => "image",
            Self::NotAnInteger(field, _)
            | Self::BelowRange(field, ..)
            | Self::AboveRange(field, ..)
            | Self::OutsideRange(field, ..)
            | Self::NotANumber(field, _)
            | Self::NotABoolean(field, _)
            | Self::MustBe(field, _)
            | Self::NotAccepted(field) => field,
            Self::AngleOutOfRange(_) => "angle",
            Self::BadFormat(_) => "format",
            Self::BadColour(_) => "bg_color",
            Self::MaskWithColour => "mask",
            Self::PeriodWithMonth => "periodStartUnix",
            Self::MissingFile => "file",
            Self::NotFetched => "url",
        }
    }

    /// The broken rule: a short name from a closed set, for metrics.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        match self {
            Self::NoImage | Self::MissingFile => "missing",
            Self::NoFileSelected => "no_file",
            Self::UnsupportedType(_) => "unsupported_type",
            Self::CorruptImage => "unreadable",
            Self::EmptyFile => "empty",
            Self::FileTooLarge(_) => "too_large",
            Self::TooWide(_) => "too_wide",
            Self::TooTall(_) => "too_tall",
            Self::NotAnInteger(..) => "not_an_integer",
            Self::BelowRange(..) => "below_range",
            Self::AboveRange(..) => "above_range",
            Self::OutsideRange(..) | Self::AngleOutOfRange(_) => "outside_range",
            Self::NotANumber(..) => "not_a_number",
            Self::NotABoolean(..) => "not_a_boolean",
            Self::MaskWithColour | Self::PeriodWithMonth => "conflict",
            Self::BadFormat(_) | Self::BadColour(_) | Self::MustBe(..) => "invalid",
            Self::NotAccepted(_) => "not_accepted",
            Self::NotFetched => "not_fetched",
        }
    }

    /// The contract's words.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::NoImage => "No image file provided. Please include an 'image' field in your form data.".into(),
            Self::NoFileSelected => "No file selected. Please choose an image file to upload.".into(),
            Self::UnsupportedType(extension) => {
                format!("File type '{extension}' is not supported. Allowed formats: webp, bmp, png, jpg, jpeg")
            }
            Self::CorruptImage => "File does not appear to be a valid image (invalid file signature)".into(),
            Self::EmptyFile => "Uploaded file is empty (0 bytes).".into(),
            Self::FileTooLarge(bytes) => {
                format!("File size ({} MB) exceeds the maximum allowed size of 50 MB.", megabytes(*bytes))
            }
            Self::TooWide(px) => {
                format!("Image width ({px}px) exceeds the maximum allowed width of 10000px.")
            }
            Self::TooTall(px) => {
                format!("Image height ({px}px) exceeds the maximum allowed height of 10000px.")
            }
            Self::NotAnInteger(field, value) => format!("'{field}' must be an integer, got: '{value}'"),
            Self::BelowRange(field, least, value) => {
                format!("'{field}' must be at least {least}, got: {value}")
            }
            Self::AboveRange(field, most, value) => {
                format!("'{field}' must be at most {most}, got: {value}")
            }
            Self::OutsideRange(field, least, most, value) => {
                format!("'{field}' must be between {least} and {most}, got: {value}")
            }
            Self::NotANumber(field, value) => format!("'{field}' must be a number, got: '{value}'"),
            Self::AngleOutOfRange(degrees) => {
                format!("'angle' must be between -360 and 360 degrees, got: {}", as_python(*degrees))
            }
            Self::BadFormat(value) => {
                format!("Invalid format '{value}'. Allowed formats: PNG, JPEG, WEBP, BMP")
            }
            Self::BadColour(value) => {
                format!("Invalid color format '{value}'. Use hex format: #RGB, #RGBA, #RRGGBB, or #RRGGBBAA")
            }
            Self::MaskWithColour => "Cannot use 'mask=true' together with 'bg_color'. Choose one or the other.".into(),
            Self::NotABoolean(field, value) => {
                format!("'{field}' must be true or false, got: '{value}'")
            }
            Self::PeriodWithMonth => "Cannot combine 'periodStartUnix' with 'year' or 'month'.".into(),
            Self::MissingFile => "No file was sent. Please include a 'file' field in your form data.".into(),
            Self::MustBe(field, what) => format!("'{field}' must be {what}."),
            Self::NotAccepted(field) => format!("'{field}' is not accepted here."),
            Self::NotFetched => "The picture could not be fetched from 'url'.".into(),
        }
    }
}

/// Mebibytes with one decimal, rounded to the nearest, as the contract shows sizes.
fn megabytes(bytes: u64) -> String {
    let tenths = (u128::from(bytes) * 10 + 512 * 1024) / (1024 * 1024);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// A number beyond 360 as Python prints a float, as the contract shows it: with the sign of its exponent.
fn as_python(number: f64) -> String {
    format!("{number:?}").replace('e', "e+")
}
