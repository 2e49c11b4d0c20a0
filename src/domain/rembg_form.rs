//! What is asked for in the dialect of the open-source server `rembg s`: the form and the query of `/api/remove`, pure.

#[cfg(test)]
mod tests;

use super::{
    complaint::Complaint,
    form::{FormError, ImageCheck, ImagePart, MAX_BODY, MAX_FIELDS, Output, OutputFormat, Rgba},
    multipart::{Boundary, Event, Malformed, Multipart},
};
use bytes::Bytes;

const FILE: &str = "file";

/// The parameters that mean something here.
const NAMES: [&str; 4] = ["model", "om", "bgc", "extras"];

/// What a file without a name that tells its type is called.
const FILE_NAME: &str = "image";

/// Names of parameters that mean nothing here and are listed; the first ones are.
const MOST_IGNORED: usize = 64;

/// Parameters in the order sent: those of the query, then those of the form. Of a repeated one the first counts.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    texts: Vec<(&'static str, String)>,
    ignored: Vec<String>,
}

/// What a valid request asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Removal {
    /// A PNG: the cut-out, on a colour or not, or its mask.
    pub output: Output,
    /// The names of the parameters that mean nothing here, in the order sent.
    pub ignored: Vec<String>,
}

impl Parameters {
    /// The parameters of a query. Those named in `not_listed` are read by others.
    #[must_use]
    pub fn of_query(query: &str, not_listed: &[&str]) -> Self {
        let mut parameters = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !not_listed.contains(&&*name) {
                parameters.add(&name, value.into_owned());
            }
        }
        parameters
    }

    fn known(name: &str) -> Option<&'static str> {
        NAMES.into_iter().find(|known| *known == name)
    }

    fn add(&mut self, name: &str, value: String) {
        match Self::known(name) {
            Some(known) if !self.texts.iter().any(|(name, _)| *name == known) => self.texts.push((known, value)),
            Some(_) => {}
            None => self.ignore(name),
        }
    }

    fn ignore(&mut self, name: &str) {
        if self.ignored.len() < MOST_IGNORED && !self.ignored.iter().any(|known| known == name) {
            self.ignored.push(name.to_owned());
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.texts.iter().find(|(known, _)| *known == name)?;
        Some(value.trim()).filter(|value| !value.is_empty())
    }

    /// What they ask for, where these models are accepted, or everything that is wrong with them.
    pub fn judge(self, models: &[String]) -> Result<Removal, Vec<Complaint>> {
        let mut complaints = Vec::new();
        if self.get("model").is_some_and(|model| !models.iter().any(|known| known == model)) {
            complaints.push(Complaint::MustBe("model", "one of the models that are accepted here"));
        }
        let mask = self.get("om").map_or(Some(false), boolean);
        if mask.is_none() {
            complaints.push(Complaint::MustBe("om", "true or false"));
        }
        let colour = self.get("bgc").map(colour);
        if colour == Some(None) {
            complaints.push(Complaint::MustBe("bgc", "four numbers from 0 to 255, such as 255,255,255,255"));
        }
        if self.get("extras").is_some() {
            complaints.push(Complaint::NotAccepted("extras"));
        }
        if !complaints.is_empty() {
            return Err(complaints);
        }
        let mask = mask.unwrap_or_default();
        let mut ignored = self.ignored;
        if mask && colour.is_some() {
            ignored.push("bgc".to_owned());
        }
        let bg_color = colour.flatten().filter(|colour| !mask && colour.a > 0);
        Ok(Removal { output: Output { format: OutputFormat::Png, mask, bg_color, ..Output::default() }, ignored })
    }
}

/// A body being read. Push its bytes in any pieces, then finish.
#[derive(Debug)]
pub struct RemovalReader {
    body: Result<Option<Box<Multipart>>, FormError>,
    received: u64,
    parameters: Parameters,
    texts_length: usize,
    image: Option<ImageCheck>,
    current: Current,
}

/// The part that is being received.
#[derive(Debug, Default)]
enum Current {
    /// None, or one that counts for nothing.
    #[default]
    Ignored,
    File,
    Text(String, Vec<u8>),
}

impl RemovalReader {
    /// A reader for a body of this `Content-Type`, to an address with these parameters.
    #[must_use]
    pub fn new(content_type: Option<&str>, of_query: Parameters) -> Self {
        let body = match Boundary::announced(content_type.unwrap_or_default()) {
            Ok(boundary) => Ok(boundary.map(|boundary| Box::new(Multipart::new(&boundary)))),
            Err(malformed) => Err(malformed.into()),
        };
        Self { body, received: 0, parameters: of_query, texts_length: 0, image: None, current: Current::default() }
    }

    /// Takes the next bytes of the body and appends to `image` the slices of them that are the file's; none any more once it
    /// is known that the file will be refused.
    ///
    /// # Errors
    /// They are final: nothing that follows can make it a form.
    pub fn push(&mut self, chunk: Bytes, image: &mut Vec<Bytes>) -> Result<(), FormError> {
        let read = self.read(chunk, image);
        if let Err(error) = &read {
            self.body = Err(error.clone());
        }
        read
    }

    fn read(&mut self, chunk: Bytes, image: &mut Vec<Bytes>) -> Result<(), FormError> {
        self.received += chunk.len() as u64;
        if self.received > MAX_BODY {
            return Err(FormError::TooLarge);
        }
        let Some(mut parser) = std::mem::replace(&mut self.body, Ok(None))? else { return Ok(()) };
        parser.feed(chunk);
        while let Some(event) = parser.next_event().map_err(FormError::from)? {
            self.take(event, image)?;
        }
        self.body = Ok(Some(parser));
        Ok(())
    }

    fn take(&mut self, event: Event, image: &mut Vec<Bytes>) -> Result<(), FormError> {
        match (event, &mut self.current) {
            (Event::Part(head), _) => {
                self.end();
                self.current = match head.filename {
                    Some(name) if head.name == FILE && self.image.is_none() => {
                        let name = if name.is_empty() { FILE_NAME.to_owned() } else { name };
                        self.image = Some(ImageCheck::new(name));
                        Current::File
                    }
                    None if Parameters::known(&head.name).is_some() => Current::Text(head.name, Vec::new()),
                    Some(_) | None => {
                        if head.name != FILE {
                            self.parameters.ignore(&head.name);
                        }
                        Current::Ignored
                    }
                };
            }
            (Event::Data(data), Current::File) => {
                if self.image.as_mut().is_some_and(|check| check.take(&data)) {
                    image.push(data);
                }
            }
            (Event::Data(data), Current::Text(_, value)) => {
                self.texts_length += data.len();
                if self.texts_length > MAX_FIELDS {
                    return Err(FormError::TooLarge);
                }
                value.extend_from_slice(&data);
            }
            (Event::Data(_), Current::Ignored) => {}
        }
        Ok(())
    }

    fn end(&mut self) {
        if let Current::Text(name, value) = std::mem::take(&mut self.current) {
            self.parameters.add(&name, String::from_utf8_lossy(&value).into_owned());
        }
    }

    /// The file and what is asked for, once the whole body was pushed, or everything that is wrong with it.
    pub fn finish(mut self, models: &[String]) -> Result<(ImagePart, Removal), FormError> {
        self.end();
        if self.body.as_ref().map_err(Clone::clone)?.as_ref().is_some_and(|parser| !parser.is_complete()) {
            return Err(Malformed.into());
        }
        let image = self.image.map_or_else(|| Err(vec![Complaint::MissingFile]), ImageCheck::finish);
        match (image, self.parameters.judge(models)) {
            (Ok(image), Ok(removal)) => Ok((image, removal)),
            (image, removal) => {
                let complaints = [image.err(), removal.err()].into_iter().flatten().flatten().collect();
                Err(FormError::Invalid(complaints))
            }
        }
    }
}

fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" | "y" | "t" => Some(true),
        "false" | "0" | "no" | "off" | "n" | "f" => Some(false),
        _ => None,
    }
}

/// `r,g,b,a`
fn colour(value: &str) -> Option<Rgba> {
    let numbers: Vec<u8> = value.split(',').map(|number| number.trim().parse().ok()).collect::<Option<_>>()?;
    match numbers[..] {
        [r, g, b, a] => Some(Rgba { r, g, b, a }),
        _ => None,
    }
}
