//! What can be wrong with a request in the dialect of remove.bg, and the words for it: the one table of its own errors.

use std::borrow::Cow;

/// Which of the two pictures of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileRole {
    /// The one whose background is removed.
    Image,
    /// The one that is put behind the subject.
    Background,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderFault {
    /// There is no picture.
    MissingSource,
    /// There is more than one.
    MultipleSources,
    /// There is more than one background, or one where there are no colours.
    MultipleBackgrounds,
    /// `size` or `channels` is none of its values.
    InvalidValue(&'static str),
    /// Any other parameter is none of its values.
    InvalidParameter(&'static str),
    /// This parameter is no address.
    InvalidUrl(&'static str),
    /// What is at this parameter's address could not be had, for whatever reason.
    FailedDownload(FileRole),
    /// This parameter asks for what is not made here, for this reason.
    Unsupported(&'static str, &'static str),
    /// The region of interest has no pixels.
    RegionEmpty,
    /// The region of interest is not in the picture.
    RegionExceeds,
    /// More than 50 MB.
    FileTooLarge(FileRole),
    /// No file of a kind that is taken.
    InvalidFileType(FileRole),
    /// A file of such a kind whose size in pixels cannot be read.
    InvalidDimensions(FileRole),
    /// Neither base64 nor a picture.
    FailedToRead(FileRole),
    /// Too many pixels, or too long a side.
    ResolutionTooHigh {
        /// The side or the product that is too large, such as `12000 pixels wide`.
        found: String,
        /// What it may be at most, in pixels.
        most: u64,
    },
    /// Nothing is left of the picture.
    UnknownForeground,
}

impl FileRole {
    /// `image` or `background`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Background => "background",
        }
    }

    /// The parameter that holds the file's address.
    #[must_use]
    pub fn url_parameter(self) -> &'static str {
        match self {
            Self::Image => "image_url",
            Self::Background => "bg_image_url",
        }
    }
}

impl OrderFault {
    /// The name that programs know it by.
    #[must_use]
    pub fn code(&self) -> Cow<'static, str> {
        match self {
            Self::MissingSource => "missing_source",
            Self::MultipleSources => "multiple_sources",
            Self::MultipleBackgrounds => "multiple_bg_sources",
            Self::InvalidValue(name) | Self::InvalidParameter(name) | Self::InvalidUrl(name) => {
                return format!("invalid_{name}").into();
            }
            Self::FailedDownload(FileRole::Image) => "failed_image_download",
            Self::FailedDownload(FileRole::Background) => "failed_bg_download",
            Self::Unsupported(..) => "unsupported_parameter",
            Self::RegionEmpty => "roi_region_empty",
            Self::RegionExceeds => "roi_exceeds_bounds",
            Self::FileTooLarge(_) => "file_too_large",
            Self::InvalidFileType(_) => "invalid_file_type",
            Self::InvalidDimensions(_) => "invalid_dimensions",
            Self::FailedToRead(_) => "failed_to_read_image",
            Self::ResolutionTooHigh { .. } => "resolution_too_high",
            Self::UnknownForeground => "unknown_foreground",
        }
        .into()
    }

    /// The parameter that the fault is about, or one of the two pictures, for metrics.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self {
            Self::InvalidValue(name)
            | Self::InvalidParameter(name)
            | Self::InvalidUrl(name)
            | Self::Unsupported(name, _) => name,
            Self::FailedDownload(role) => role.url_parameter(),
            Self::FileTooLarge(role)
            | Self::InvalidFileType(role)
            | Self::InvalidDimensions(role)
            | Self::FailedToRead(role) => role.as_str(),
            Self::MultipleBackgrounds => FileRole::Background.as_str(),
            Self::RegionEmpty | Self::RegionExceeds => "roi",
            Self::MissingSource | Self::MultipleSources | Self::ResolutionTooHigh { .. } | Self::UnknownForeground => {
                FileRole::Image.as_str()
            }
        }
    }

    /// The broken rule: a short name from a closed set, for metrics.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        match self {
            Self::MissingSource => "missing",
            Self::MultipleSources | Self::MultipleBackgrounds => "conflict",
            Self::InvalidValue(_) | Self::InvalidParameter(_) => "invalid",
            Self::InvalidUrl(_) => "not_a_url",
            Self::FailedDownload(_) => "not_fetched",
            Self::Unsupported(..) => "not_accepted",
            Self::RegionEmpty => "empty",
            Self::RegionExceeds => "outside_range",
            Self::FileTooLarge(_) => "too_large",
            Self::InvalidFileType(_) => "unsupported_type",
            Self::InvalidDimensions(_) | Self::FailedToRead(_) => "unreadable",
            Self::ResolutionTooHigh { .. } => "too_many_pixels",
            Self::UnknownForeground => "no_foreground",
        }
    }

    /// The words for people.
    #[must_use]
    pub fn title(&self) -> Cow<'static, str> {
        match self {
            Self::MissingSource => "No image given",
            Self::MultipleSources => {
                "Multiple image sources given: Please provide either the image_url, image_file or image_file_b64 \
                 parameter."
            }
            Self::MultipleBackgrounds => {
                "Multiple background sources given: Please provide either the bg_color, the bg_image_url or the \
                 bg_image_file parameter."
            }
            Self::InvalidValue(name) => return format!("Invalid value for parameter '{name}'").into(),
            Self::InvalidParameter(name) => return format!("Invalid {name} parameter given").into(),
            Self::InvalidUrl(name) => return format!("Invalid {name}: Please provide a valid URL.").into(),
            Self::FailedDownload(role) => {
                return format!("Failed to download image from given {}", role.url_parameter()).into();
            }
            Self::Unsupported(name, _) => return format!("Unsupported parameter '{name}'").into(),
            Self::RegionEmpty => "ROI region is empty",
            Self::RegionExceeds => "ROI exceeds image bounds",
            Self::FileTooLarge(_) => "File too large",
            Self::InvalidFileType(_) => "Invalid file type",
            Self::InvalidDimensions(_) => "Failed to read image dimensions",
            Self::FailedToRead(_) => "There was an error reading the image.",
            Self::ResolutionTooHigh { .. } => "Image resolution too high",
            Self::UnknownForeground => "Could not identify foreground in image.",
        }
        .into()
    }

    /// More words for people, where there are any.
    #[must_use]
    pub fn detail(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::MissingSource => {
                Some("Please provide the source image in the image_url, image_file or image_file_b64 parameter.".into())
            }
            Self::Unsupported(_, why) => Some((*why).into()),
            Self::ResolutionTooHigh { found, most } => {
                Some(format!("The image is {found}. At most {most} pixels are processed here.").into())
            }
            Self::FileTooLarge(role)
            | Self::InvalidFileType(role)
            | Self::InvalidDimensions(role)
            | Self::FailedToRead(role) => {
                (*role == FileRole::Background).then_some("It is the background image.".into())
            }
            Self::MultipleSources
            | Self::MultipleBackgrounds
            | Self::InvalidValue(_)
            | Self::InvalidParameter(_)
            | Self::InvalidUrl(_)
            | Self::FailedDownload(_)
            | Self::RegionEmpty
            | Self::RegionExceeds
            | Self::UnknownForeground => None,
        }
    }
}
