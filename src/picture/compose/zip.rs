//! Zip files whose members are stored as they are: pictures cannot be compressed any further.

use crate::picture::PictureError;

const MEMBER: [u8; 4] = *b"PK\x03\x04";
const ENTRY: [u8; 4] = *b"PK\x01\x02";
const END: [u8; 4] = *b"PK\x05\x06";

/// The version of the format that has stored members: 1.0.
const VERSION: u16 = 10;

/// The first day that the format knows. The same pictures make the same file.
const DATE: u16 = 1 << 5 | 1;

/// A zip file of these members: names in ASCII, and contents.
pub(super) fn stored(members: &[(&str, &[u8])]) -> Result<Vec<u8>, PictureError> {
    let mut file = Vec::new();
    let mut directory = Vec::new();
    for (name, content) in members {
        let offset = long(file.len())?;
        let description = description(name, content)?;
        file.extend(MEMBER);
        file.extend(VERSION.to_le_bytes());
        file.extend(&description);
        file.extend(name.as_bytes());
        file.extend(*content);

        directory.extend(ENTRY);
        directory.extend(VERSION.to_le_bytes());
        directory.extend(VERSION.to_le_bytes());
        directory.extend(&description);
        // No comment, the first disk, no attributes.
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let offset = long(file.len())?;
    let count = short(members.len())?.to_le_bytes();
    file.extend(&directory);
    file.extend(END);
    // The first disk, and the directory on it.
    file.extend([0; 4]);
    file.extend(count);
    file.extend(count);
    file.extend(long(directory.len())?.to_le_bytes());
    file.extend(offset.to_le_bytes());
    // No comment.
    file.extend([0; 2]);
    Ok(file)
}

/// What both headers of a member say of it.
fn description(name: &str, content: &[u8]) -> Result<Vec<u8>, PictureError> {
    let length = long(content.len())?.to_le_bytes();
    let mut description = Vec::new();
    // No flags, no compression, midnight.
    description.extend([0; 6]);
    description.extend(DATE.to_le_bytes());
    description.extend(crc32fast::hash(content).to_le_bytes());
    description.extend(length);
    description.extend(length);
    description.extend(short(name.len())?.to_le_bytes());
    // No extra field.
    description.extend([0; 2]);
    Ok(description)
}

fn long(length: usize) -> Result<u32, PictureError> {
    u32::try_from(length).map_err(|_| PictureError::Zip)
}

fn short(length: usize) -> Result<u16, PictureError> {
    u16::try_from(length).map_err(|_| PictureError::Zip)
}
