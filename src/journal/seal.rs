//! A line of the journal carries its own checksum as its last member: damage is noticed wherever it
//! is, and the line is plain JSON all the same.

use crate::{checksum::Checksum, event::Event};

/// What the last member begins with. Its eight digits and the end of the object follow.
const MEMBER: &str = ",\"checksum\":\"";

/// How many bytes the last member and the end of the object have.
const SEAL: usize = MEMBER.len() + 8 + "\"}".len();

/// An event as a line, without its line end. The checksum is of everything before the comma that
/// leads to it.
pub fn sealed(event: &Event) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(event)?;
    // The brace that ends the object.
    line.pop();
    let seal = seal_of(&line);
    line.extend_from_slice(seal.as_bytes());
    Ok(line)
}

/// Takes the checksum off a line, with or without its line end, and leaves the plain event; `None`
/// where the line is not as it was written.
pub fn open(line: &mut Vec<u8>) -> Option<&[u8]> {
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    let length = line.len().checked_sub(SEAL)?;
    let (body, seal) = line.split_at(length);
    if seal != seal_of(body).as_bytes() {
        return None;
    }
    line.truncate(length);
    line.push(b'}');
    Some(line)
}

fn seal_of(body: &[u8]) -> String {
    format!("{MEMBER}{}\"}}", Checksum::of(body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock, event::Finished};

    #[test]
    fn a_line_that_is_not_as_it_was_written_is_not_believed() {
        let event = Event::Finished(Finished { at: clock::now(), interrupted_by: None });
        let line = sealed(&event).unwrap();
        assert!(serde_json::from_slice::<serde_json::Value>(&line).is_ok(), "plain JSON");
        let read = serde_json::from_slice(open(&mut line.clone()).unwrap());
        assert_eq!(read.ok(), Some(event));
        for bit in 0..line.len() * 8 {
            let mut damaged = line.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&mut damaged), None, "bit {bit}");
        }
        for length in 0..line.len() {
            assert_eq!(open(&mut line[..length].to_vec()), None, "cut at {length}");
        }
    }
}
