//! Numbers of 128 bits as texts in base 36.

#![forbid(unsafe_code)]

/// The base.
pub(super) const BASE: u128 = 36;
/// Digits of every number.
pub(super) const TEXT_LEN: usize = 25;
/// The digits, in the order of their values, which is also their order as text.
const DIGITS: &[u8; BASE as usize] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// What two digits count up to.
const PAIR: u64 = (BASE * BASE) as u64;
/// All pairs of digits, in the order of their values: a text is written by half as many divisions.
const PAIRS: [[u8; 2]; PAIR as usize] = {
    let mut pairs = [[0; 2]; PAIR as usize];
    let mut value = 0;
    while value < pairs.len() {
        let base = DIGITS.len();
        pairs[value] = [DIGITS[value / base], DIGITS[value % base]];
        value += 1;
    }
    pairs
};
/// How many digits fit a `u64`, on which division is much cheaper than on a `u128`.
const HALF_LEN: usize = 12;
/// The number that `HALF_LEN` digits count up to.
const HALF: u128 = BASE.pow(HALF_LEN as u32);

/// Writes a number over the whole of `text`, padded with zeros.
pub(super) fn write(number: u128, text: &mut [u8; TEXT_LEN]) {
    let (head, tail) = split(number);
    let (first, middle) = split(head);
    let (leading, halves) = text.split_at_mut(TEXT_LEN - 2 * HALF_LEN);
    leading[0] = DIGITS[first as usize];
    for (half, number) in halves.as_chunks_mut().0.iter_mut().zip([middle, tail]) {
        write_half(half, number);
    }
}

/// What `HALF_LEN` digits cannot hold of a number, and the rest.
fn split(number: u128) -> (u128, u64) {
    // Not `%`, which would divide again.
    let head = number / HALF;
    (head, (number - head * HALF) as u64)
}

fn write_half(text: &mut [u8; HALF_LEN], mut number: u64) {
    for pair in text.as_chunks_mut().0.iter_mut().rev() {
        *pair = PAIRS[(number % PAIR) as usize];
        number /= PAIR;
    }
    debug_assert_eq!(number, 0, "the text is too short for the number");
}

/// The value of a digit, or `None` for a character that is none.
pub(super) fn digit_value(character: char) -> Option<u128> {
    match character {
        '0'..='9' => Some(u128::from(character) - u128::from('0')),
        'a'..='z' => Some(u128::from(character) - u128::from('a') + 10),
        _ => None,
    }
}
