//! The headers that only the answers of others' APIs have.

use hyper::header::HeaderName;

/// The names of the parameters that mean nothing here.
pub(super) const IGNORED_PARAMETERS: HeaderName = HeaderName::from_static("x-ignored-parameters");
/// The model that has served the picture.
pub(super) const MODEL: HeaderName = HeaderName::from_static("x-model");
/// What the subject is taken for.
pub(super) const TYPE: HeaderName = HeaderName::from_static("x-type");
/// Pixels of the result.
pub(super) const WIDTH: HeaderName = HeaderName::from_static("x-width");
/// Pixels of the result.
pub(super) const HEIGHT: HeaderName = HeaderName::from_static("x-height");
/// The box around the subject, in pixels of the picture that was sent.
pub(super) const FOREGROUND_TOP: HeaderName = HeaderName::from_static("x-foreground-top");
/// See [`FOREGROUND_TOP`].
pub(super) const FOREGROUND_LEFT: HeaderName = HeaderName::from_static("x-foreground-left");
/// See [`FOREGROUND_TOP`].
pub(super) const FOREGROUND_WIDTH: HeaderName = HeaderName::from_static("x-foreground-width");
/// See [`FOREGROUND_TOP`].
pub(super) const FOREGROUND_HEIGHT: HeaderName = HeaderName::from_static("x-foreground-height");
/// What the limit allows.
pub(super) const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
/// What is left of it.
pub(super) const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
/// When there is more, in Unix seconds.
pub(super) const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// All of them.
pub(super) const ALL: [HeaderName; 12] = [
    IGNORED_PARAMETERS,
    MODEL,
    TYPE,
    WIDTH,
    HEIGHT,
    FOREGROUND_TOP,
    FOREGROUND_LEFT,
    FOREGROUND_WIDTH,
    FOREGROUND_HEIGHT,
    LIMIT,
    REMAINING,
    RESET,
];
