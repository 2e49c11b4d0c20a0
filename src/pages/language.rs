//! Chooses among a page's languages.

/// The one that `?lang=` names, if the page has it.
pub(super) fn chosen<'a>(query: &str, tags: &[&'a str]) -> Option<&'a str> {
    let (_, wanted) = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "lang")?;
    tags.iter().find(|tag| tag.eq_ignore_ascii_case(&wanted)).copied()
}

/// The one that `Accept-Language` (RFC 9110, section 12.5.4) rates highest; of several, the first that it names.
pub(super) fn preferred<'a>(accept_language: &str, tags: &[&'a str]) -> Option<&'a str> {
    let mut best: Option<(f32, &str)> = None;
    for range in accept_language.split(',') {
        let (range, weight) = range.split_once(';').map_or((range, ""), |(range, weight)| (range, weight.trim()));
        let weight = weight.strip_prefix("q=").map_or(Some(1.0), |digits| digits.trim().parse::<f32>().ok());
        let primary = range.trim().split('-').next().unwrap_or_default();
        let tag = tags.iter().find(|tag| tag.eq_ignore_ascii_case(primary));
        if let (Some(tag), Some(weight)) = (tag, weight.filter(|weight| *weight > 0.0))
            && best.is_none_or(|(most, _)| weight > most)
        {
            best = Some((weight, tag));
        }
    }
    best.map(|(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_get_the_language_that_they_like_best() {
        let tags = ["en", "vi"];
        for (accepted, expected) in [
            ("vi-VN,vi;q=0.9,en;q=0.8", Some("vi")),
            ("de, en-GB;q=0.3, vi;q=0.4", Some("vi")),
            ("EN", Some("en")),
            ("vi;q=0, en;q=0.1", Some("en")),
            ("vi, en", Some("vi")),
            ("vi;q=x, en;q=0.1", Some("en")),
            ("de, *", None),
            ("", None),
        ] {
            assert_eq!(preferred(accepted, &tags), expected, "{accepted}");
        }
    }

    #[test]
    fn one_that_the_page_does_not_have_is_not_chosen() {
        let tags = ["en", "vi"];
        assert_eq!(chosen("a=b&lang=VI", &tags), Some("vi"));
        assert_eq!(chosen("lang=de", &tags), None);
        assert_eq!(chosen("language=vi", &tags), None);
    }
}
