//! Random texts for links, codes and nonces.

use uuid::Uuid;

/// Letters and digits that people do not confuse.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// 64 hexadecimal digits with 244 bits from the operating system's generator.
pub(super) fn text() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// A code for another channel: three groups of four characters, 60 bits.
pub(super) fn code() -> String {
    // The bytes that hold version and variant of the UUID are left out.
    let bytes = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()];
    let random = bytes.iter().flat_map(|bytes| bytes[..6].iter().chain(&bytes[9..]));
    let letters: Vec<char> = random.take(12).map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    #[test]
    fn codes_are_easy_to_read_and_differ() {
        let (one, other) = (super::code(), super::code());
        assert_eq!(one.split('-').map(str::len).collect::<Vec<_>>(), [4, 4, 4]);
        assert_ne!(one, other);
        assert_eq!(super::text().len(), 64);
    }
}
