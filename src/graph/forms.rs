//! How texts have to look that callers give: only what is surely wrong is refused here, the rest is for the upstream
//! to judge.

use jiff::civil::Date;

/// Something, an at sign, something; no blanks.
pub fn is_mail(text: &str) -> bool {
    let blank = |c: char| c.is_whitespace() || c.is_control();
    let parts = text.rsplit_once('@').filter(|(who, host)| !who.is_empty() && !host.is_empty());
    parts.is_some_and(|(_, host)| !host.starts_with('.') && !host.ends_with('.')) && !text.contains(blank)
}

/// A day that there is, as `YYYY-MM-DD`.
pub fn is_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<Date>().is_ok()
}

/// Two letters.
pub fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic())
}

/// `#RRGGBB`.
pub fn is_color(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_surely_wrong_is_told_from_what_may_be_right() {
        type Form = fn(&str) -> bool;
        let rows: [(Form, &[&str], &[&str]); 4] = [
            (
                is_mail,
                &["a@b.example", "a+b@b", "\"a@b\"@c.example", "ü@ü.example"],
                &["", "a", "a@", "@b", "a b@c.example", "a@b.example\n", "not an address", "a@.b"],
            ),
            (
                is_date,
                &["1980-02-29", "2026-12-31"],
                &["", "soon", "1981-02-29", "19800229", "1980-2-9", "29.02.1980", "1980-02-29T00:00:00Z"],
            ),
            (is_country, &["US", "de"], &["", "USA", "U", "U1", "ß"]),
            (is_color, &["#FFAA00", "#ffaa00"], &["", "reddish", "#FFF", "FFAA00", "#FFAA0G", "#FFAA00 "]),
        ];
        for (form, right, wrong) in rows {
            for text in right {
                assert!(form(text), "{text:?}");
            }
            for text in wrong {
                assert!(!form(text), "{text:?}");
            }
        }
    }
}
