//! Numbers, straight from bytes.

/// 10⁰ to 10²², which f64 holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// The number with which `text` begins and how many bytes it takes, if it is written plainly and
/// the result is exact to the last bit: a mantissa below 2⁵³ times or over a power of ten that f64
/// holds is rounded once (W. Clinger, *How to read floating point numbers accurately*, 1990).
/// Whoever calls looks at what follows.
pub(super) fn plain(text: &[u8], decimal: u8) -> Option<(f64, usize)> {
    let negative = text.first() == Some(&b'-');
    let mut at = usize::from(negative);
    let (mut mantissa, mut digits, mut fraction) = (0_u64, 0, 0_usize);
    let mut take = |at: &mut usize| {
        let from = *at;
        while let Some(digit) = text.get(*at).map(|byte| byte.wrapping_sub(b'0'))
            && digit < 10
        {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
            *at += 1;
        }
        digits += *at - from;
        *at - from
    };
    take(&mut at);
    if text.get(at) == Some(&decimal) {
        at += 1;
        fraction = take(&mut at);
    }
    // Beyond 19 digits the mantissa may have wrapped.
    if digits == 0 || digits > 19 || mantissa > 1 << 53 || fraction > 22 {
        return None;
    }
    let number = mantissa as f64 / POWERS[fraction];
    let number = if negative { -number } else { number };
    if is_tie(number) && fraction > 0 {
        return None;
    }
    Some((number, at))
}

/// The number that a field is, spaces around it aside; what is neither finite nor infinite is none.
pub(super) fn number(field: &str, decimal: u8) -> Option<f64> {
    let field = field.trim();
    if decimal == b',' {
        return match field.contains('.') {
            true => None,
            false => parse(&field.replacen(',', ".", 1)),
        };
    }
    parse(field)
}

fn parse(field: &str) -> Option<f64> {
    let number: f64 = field.parse().ok()?;
    if number.is_nan() {
        return None;
    }
    if !is_tie(number) {
        return Some(number);
    }
    // Rounding to f64 and then to f32 is not always rounding to f32: what lies just beside the
    // middle of two f32 can become the middle. It is moved back to its side, by one part in 2⁵³.
    let direct: f32 = field.parse().ok()?;
    let twice = number as f32;
    Some(if direct > twice {
        number.next_up()
    } else if direct < twice {
        number.next_down()
    } else {
        number
    })
}

/// Whether a text would be a number without thousands separators, signs of a currency or percent,
/// or with another decimal sign: a category it is not.
pub(super) fn is_decorated(text: &str) -> bool {
    let is_decoration =
        |c: char| matches!(c, ',' | '.' | '\'' | '_' | '%' | '$' | '€' | '£') || c.is_whitespace();
    let digits = text.trim().trim_start_matches(['-', '+']).chars().filter(|&c| !is_decoration(c));
    let (mut count, mut alone) = (0, true);
    for c in digits {
        count += 1;
        alone &= c.is_ascii_digit();
    }
    // Of versions and addresses, such as 10.0.0.1, too much would have to be taken away.
    let points = text.matches('.').count();
    count > 0 && alone && text.trim().contains(is_decoration) && (points < 2 || text.contains(','))
}

/// Whether the number lies in the middle of two numbers of f32, or is too small to say it simply.
fn is_tie(number: f64) -> bool {
    number.to_bits() & 0x1fff_ffff == 0x1000_0000
        || (number != 0.0 && number.abs() < f64::from(f32::MIN_POSITIVE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_standard_library() {
        for text in [
            "0",
            "-0",
            "1",
            "-1.5",
            "0.1",
            "123456.789",
            ".5",
            "5.",
            "9007199254740993",
            "12345678901234567890",
            "0.30000000000000004",
            "1.0000000000000000000001",
        ] {
            let expected: f64 = text.parse().unwrap();
            assert_eq!(number(text, b'.').unwrap().to_bits(), expected.to_bits(), "{text}");
            if let Some((fast, length)) = plain(text.as_bytes(), b'.') {
                assert_eq!((fast.to_bits(), length), (expected.to_bits(), text.len()), "{text}");
            }
        }
        assert_eq!(plain(b"12,x", b'.'), Some((12.0, 2)));
        assert_eq!(plain(b"1,25;", b','), Some((1.25, 4)));
        for text in ["", "-", ".", "x", "-x"] {
            assert_eq!((plain(text.as_bytes(), b'.'), number(text, b'.')), (None, None), "{text}");
        }
        assert_eq!((number("1.5", b','), number(" 1e3 ", b'.')), (None, Some(1000.0)));
    }

    #[test]
    fn decorated_numbers_are_known() {
        for text in ["1,234", "1.234,5", "1'000", "50%", "$5", "-1,5", "1 000 €"] {
            assert!(is_decorated(text), "{text}");
        }
        for text in ["", "-", ".", "5", "170cm", "2026-11-28", "10.0.0.1", "x,1", "A/5 21171"] {
            assert!(!is_decorated(text), "{text}");
        }
    }

    #[test]
    fn a_number_becomes_the_same_f32_as_if_it_were_read_as_one() {
        // Just above and below the middle of 1 and the next f32, 1 + 2⁻²⁴.
        for text in [
            "1.00000005960464477539062500001",
            "1.000000059604644775390625",
            "1.00000005960464477539062499999",
            "1.0000001788139343261718750001",
            "1e-45",
            "1e-40",
            "7.006492321624085e-46",
            "3.4028235677973366e38",
            "16777217",
            "33554435.0",
        ] {
            let direct: f32 = text.parse().unwrap();
            assert_eq!((number(text, b'.').unwrap() as f32).to_bits(), direct.to_bits(), "{text}");
        }
    }
}
