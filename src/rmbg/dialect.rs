//! What a request is written in. The journey is the same in every dialect; how the form is read and what is done to the
//! backend's answer are not.

use crate::domain::{composition::Composition, form::Form, rembg_form::Parameters, removebg::PictureFile};
use crate::{picture::Area, spool::Spooled};

/// What a request is written in.
#[derive(Clone)]
pub enum Dialect {
    /// The form of `POST /rmbg`.
    Rmbg,
    /// That of remove.bg's `POST /v1.0/removebg`.
    RemoveBg,
    /// That of `POST /api/remove` of `rembg s`, with the parameters of its query.
    Rembg(Parameters),
    /// The query of `GET /api/remove` of `rembg s`: its parameters, and the picture's URL.
    RembgUrl(Parameters, Option<String>),
}

/// What is asked for, whatever it was written in.
pub(super) struct Asked {
    /// What the backend is asked for.
    pub(super) form: Form,
    pub(super) image: Spooled,
    /// What is done to the backend's cut here.
    pub(super) finishing: Option<Finishing>,
    pub(super) extras: Extras,
}

/// What is made of a backend's cut.
pub(super) struct Finishing {
    pub(super) composition: Composition,
    /// What comes behind the subject if the composition says so.
    pub(super) background: Option<(PictureFile, Spooled)>,
}

/// What the caller is told beside the answer.
#[derive(Debug, Default)]
pub struct Extras {
    /// The names of the parameters that mean nothing here.
    pub ignored: Vec<String>,
    /// Whether the answer names the type of the subject.
    pub names_type: bool,
    /// What the result is, if it was finished here.
    pub made: Option<Made>,
}

/// A result that was finished here.
#[derive(Clone, Copy, Debug)]
pub struct Made {
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// The box around the subject, in pixels of the upright picture; `None` if nothing is left of it.
    pub foreground: Option<Area>,
}
