//! The model u2netp: its file, its input and its output.

use crate::picture::{self, PictureError};
use aws_lc_rs::digest;
use image::{GrayImage, RgbImage, RgbaImage};
use rten::ValueView;
use std::{fmt::Write as _, fs, io, path::Path, path::PathBuf};

/// The checksum of the one model file that this code supports.
const SHA256: &str = "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8";

/// The side length of the model's input and of its mask, in pixels.
const SIDE: u32 = 320;

/// The number of pixels in the model's input.
const AREA: usize = (SIDE * SIDE) as usize;

/// The mean and the standard deviation of red, green and blue over `ImageNet`, which the model was trained with.
const IMAGENET: [(f32, f32); 3] = [(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)];

/// If the model's output has a smaller range than this, it is noise: the model sees neither a subject nor a background.
const FLAT: f32 = 1e-6;

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file does not exist or cannot be read.
    #[error("the model {} cannot be read ({source}); fetch it with: deploy/fetch-model.sh {}", path.display(), path.display())]
    Missing {
        /// The path of the file.
        path: PathBuf,
        /// The error of reading it.
        source: io::Error,
    },
    /// The file is not u2netp, or is incomplete.
    #[error("{} is not u2netp (sha256 {found}); remove it, then: deploy/fetch-model.sh {}", path.display(), path.display())]
    WrongFile {
        /// The path of the file.
        path: PathBuf,
        /// The file's checksum.
        found: String,
    },
    /// The inference engine does not accept the model.
    #[error("the model cannot be used: {0}")]
    Unusable(#[from] rten::LoadError),
}

/// Why there is no mask.
#[derive(Debug, thiserror::Error)]
pub(super) enum MaskError {
    #[error("model: {0}")]
    Run(#[from] rten::RunError),
    #[error("model: the answer is no {SIDE} x {SIDE} mask")]
    Answer,
    #[error(transparent)]
    Picture(#[from] PictureError),
}

/// The loaded model. Runs share the engine's own pool of threads, with one for each physical core.
pub(super) struct Model(rten::Model);

impl Model {
    pub(super) fn load(path: &Path) -> Result<Self, ModelError> {
        Ok(Self(rten::Model::load(verified(path)?)?))
    }

    /// Returns how much each pixel belongs to the subject, where 255 is wholly. The mask is as large as the picture.
    pub(super) fn mask(&self, picture: &RgbaImage) -> Result<GrayImage, MaskError> {
        // A pixel that is already transparent is background, whatever its colour is.
        let seen = picture::flatten(&picture::resize(picture, (SIDE, SIDE))?, picture::WHITE);
        let planes = planes(&seen);
        let side = SIDE as usize;
        let input = ValueView::from_shape([1, 3, side, side], planes.as_slice()).map_err(|_| MaskError::Answer)?;
        let (&feed, &fetch) = self.0.input_ids().first().zip(self.0.output_ids().first()).ok_or(MaskError::Answer)?;
        let [output] = self.0.run_n(vec![(feed, input.into())], [fetch], None)?;
        let (_, belief) = output.into_shape_vec::<f32, 4>().map_err(|_| MaskError::Answer)?;
        let mask = GrayImage::from_raw(SIDE, SIDE, stretched(&belief)).ok_or(MaskError::Answer)?;
        Ok(picture::resize_mask(&mask, picture.dimensions())?)
    }
}

/// The contents of the file, which is the one that this code supports.
pub(super) fn verified(path: &Path) -> Result<Vec<u8>, ModelError> {
    let file = fs::read(path).map_err(|source| ModelError::Missing { path: path.into(), source })?;
    let found = hexadecimal(digest::digest(&digest::SHA256, &file).as_ref());
    if found == SHA256 { Ok(file) } else { Err(ModelError::WrongFile { path: path.into(), found }) }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("u2netp")
    }
}

/// The red, green and blue planes, normalised as in the model's training: by the brightest value, then by [`IMAGENET`].
fn planes(picture: &RgbImage) -> Vec<f32> {
    let brightest = f32::from(picture.iter().copied().max().unwrap_or(0).max(1));
    let mut planes = Vec::with_capacity(3 * AREA);
    for (channel, (mean, deviation)) in IMAGENET.into_iter().enumerate() {
        planes.extend(picture.pixels().map(|p| (f32::from(p.0[channel]) / brightest - mean) / deviation));
    }
    planes
}

/// The output, scaled so that its lowest value is 0 and its highest is 255; all values are 0 if they do not differ.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte's range")]
fn stretched(belief: &[f32]) -> Vec<u8> {
    let least = belief.iter().copied().fold(f32::INFINITY, f32::min);
    let most = belief.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let range = most - least;
    if range.is_nan() || range < FLAT {
        return vec![0; belief.len()];
    }
    belief.iter().map(|b| ((b - least) / range * 255.0).clamp(0.0, 255.0) as u8).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
