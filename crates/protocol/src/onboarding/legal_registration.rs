//! Legal registration numbers, as the official registers write them (fact sheet 02 §6.2).

/// Longest number where a country's form is not known. Ours.
const LENGTH_MAX: usize = 50;

/// How a country writes its numbers.
enum Form {
    /// One of these masks: `9` is a digit, `A` a capital letter, `X` either; everything else stands for itself.
    Masks(&'static [&'static str]),
    /// What a function accepts.
    Special(fn(&str) -> bool),
}

/// A country's number, in words.
struct Register {
    country: &'static str,
    form: Form,
    /// Its name and an example.
    wanted: &'static str,
}

const fn masks(country: &'static str, masks: &'static [&'static str], wanted: &'static str) -> Register {
    Register { country, form: Form::Masks(masks), wanted }
}

const fn special(country: &'static str, accepts: fn(&str) -> bool, wanted: &'static str) -> Register {
    Register { country, form: Form::Special(accepts), wanted }
}

/// Documented down to DK; ours, after the registers' own rules, from there on: the page's further rows are not known.
const REGISTERS: &[Register] = &[
    special("AT", is_austrian, "a Firmenbuchnummer like FN 123456a"),
    masks("AU", &["999999999", "99999999999"], "an ACN or ABN like 123456789"),
    masks("AX", &["AA9999999-9"], "an organisation id like AX1234567-1"),
    special("BE", is_belgian, "an enterprise number like 0123.456.789"),
    masks("BG", &["999999999"], "an EIK like 123456789"),
    masks("BY", &["999999999"], "a UNP like 123456789"),
    masks(
        "CA",
        &["99-9999999", "999-99-9999", "999999999", "999999-9", "9999999999"],
        "a federal or provincial number like 12-3456789",
    ),
    masks("CH", &["AAA-999.999.999"], "a UID like CHE-123.456.789"),
    special("CY", is_cypriot, "a registration number like HE 123456"),
    masks("CZ", &["99999999"], "an ICO like 25666001"),
    special("DE", is_german, "a register and number like HRB 123456"),
    masks("DK", &["99999999"], "a CVR number like 12345678"),
    masks("EE", &["99999999"], "a registrikood like 12345678"),
    masks("ES", &["A9999999X"], "a NIF like B12345678"),
    masks("FI", &["9999999-9"], "a Y-tunnus like 1234567-8"),
    masks("FR", &["999999999", "99999999999999"], "a SIREN or SIRET number like 123456789"),
    masks("GB", &["AA999999", "99999999"], "a company number like SC123456"),
    masks("IE", &["99999", "999999", "9999999"], "a CRO number like 123456"),
    masks(
        "IT",
        &["99999999999", "AA99999", "AA999999", "AA9999999", "AA-99999", "AA-999999", "AA-9999999"],
        "a codice fiscale or REA number like MI-123456",
    ),
    masks("NL", &["99999999"], "a KvK number like 12345678"),
    masks("NO", &["999999999"], "an organisation number like 123456789"),
    masks("PL", &["9999999999"], "a KRS or NIP number like 1234567890"),
    masks("PT", &["999999999"], "a NIPC like 123456789"),
    masks("SE", &["9999999999", "999999-9999"], "an organisation number like 556000-1234"),
    special("US", is_american, "an EIN like 12-3456789, or a state's id"),
];

/// Why `number` is no number of the country's register, after "must be"; `None` if it is one. Countries are compared without case.
pub fn fault(country: &str, number: &str) -> Option<String> {
    let known = REGISTERS.iter().find(|register| register.country.eq_ignore_ascii_case(country));
    let Some(register) = known else {
        let length = number.chars().count();
        return (!(1..=LENGTH_MAX).contains(&length)).then(|| format!("a text of 1 to {LENGTH_MAX} characters"));
    };
    let accepted = match register.form {
        Form::Masks(masks) => masks.iter().any(|mask| fits(mask, number)),
        Form::Special(accepts) => accepts(number),
    };
    (!accepted).then(|| register.wanted.to_owned())
}

/// Whether a number means nothing without the register that gave it: German courts each count for themselves.
pub fn needs_authority(country: &str) -> bool {
    country.eq_ignore_ascii_case("DE")
}

fn fits(mask: &str, text: &str) -> bool {
    mask.len() == text.len()
        && mask.bytes().zip(text.bytes()).all(|(wanted, given)| match wanted {
            b'9' => given.is_ascii_digit(),
            b'A' => given.is_ascii_uppercase(),
            b'X' => given.is_ascii_digit() || given.is_ascii_uppercase(),
            literal => given == literal,
        })
}

/// `^(?!ATU\d{8})(?!K6\d{5}$).{5,11}$`: anything of that length but a VAT number or a municipality's.
fn is_austrian(text: &str) -> bool {
    let is_vat = text.strip_prefix("ATU").is_some_and(|rest| rest.len() >= 8 && digits(rest.get(..8).unwrap_or("x")));
    let is_municipality = fits("K699999", text);
    (5..=11).contains(&text.chars().count()) && !is_vat && !is_municipality
}

/// `^[01](\.?\d){9}$`
fn is_belgian(text: &str) -> bool {
    let is_separated = !text.contains("..") && !text.ends_with('.');
    let plain: String = text.chars().filter(|character| *character != '.').collect();
    is_separated && plain.len() == 10 && digits(&plain) && matches!(text.as_bytes().first(), Some(b'0' | b'1'))
}

/// Two letters, Latin or Greek, a blank, six digits.
fn is_cypriot(text: &str) -> bool {
    let Some((letters, number)) = text.split_once(' ') else { return false };
    letters.chars().count() == 2 && letters.chars().all(char::is_alphabetic) && number.len() == 6 && digits(number)
}

/// `^(GnR|PR|VR|HR[AB])( \d{2,6})( \w{1,2})?$`, in either case.
fn is_german(text: &str) -> bool {
    let mut words = text.split(' ');
    let register = words.next().unwrap_or_default().to_ascii_uppercase();
    let number = words.next().unwrap_or_default();
    let suffix_fits = words
        .next()
        .is_none_or(|suffix| matches!(suffix.chars().count(), 1 | 2) && suffix.chars().all(char::is_alphanumeric));
    matches!(register.as_str(), "GNR" | "PR" | "VR" | "HRA" | "HRB")
        && (2..=6).contains(&number.len())
        && digits(number)
        && suffix_fits
        && words.next().is_none()
}

fn is_american(text: &str) -> bool {
    fits("99-9999999", text)
        || ((3..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_their_countries_registers() {
        let good = [
            ("AT", "FN 123456a"),
            ("AU", "12345678901"),
            ("AX", "AX1234567-1"),
            ("BE", "0123.456.789"),
            ("BE", "0123456789"),
            ("CA", "123456-7"),
            ("CH", "CHE-123.456.789"),
            ("CY", "HE 123456"),
            ("CY", "ΗΕ 123456"),
            ("CZ", "25666001"),
            ("DE", "HRB 123456"),
            ("de", "hrb 12 B"),
            ("DK", "12345678"),
            ("ES", "B12345678"),
            ("ES", "A1234567J"),
            ("GB", "SC123456"),
            ("IE", "12345"),
            ("IT", "MI-123456"),
            ("SE", "556000-1234"),
            ("US", "12-3456789"),
            ("US", "C0123456"),
            ("JP", "whatever it is"),
        ];
        for (country, number) in good {
            assert_eq!(fault(country, number), None, "{country} {number}");
        }
        let bad = [
            ("AT", "ATU12345678"),
            ("AT", "K612345"),
            ("AT", "FN"),
            ("AU", "1234567890"),
            ("BE", "2123.456.789"),
            ("BE", "0123..456.789"),
            ("CH", "CHE-123456789"),
            ("CY", "H 123456"),
            ("DE", "123456"),
            ("DE", "HRB 1"),
            ("DE", "HRB 123456 ABC"),
            ("DE", "HRB 12 A B"),
            ("DK", "1234567"),
            ("FI", "12345678"),
            ("IE", "1234"),
            ("SE", "556000 1234"),
            ("US", "no"),
            ("JP", ""),
        ];
        for (country, number) in bad {
            assert!(fault(country, number).is_some(), "{country} {number}");
        }
        assert!(needs_authority("DE") && !needs_authority("SE"));
    }
}
