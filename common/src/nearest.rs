//! "Did you mean": the valid name that is nearest to a wrong one.

/// The candidate most like `name`, if any is like it enough to be a slip of the hand.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_leaves_strangers() {
        let options = ["match", "patterns_dir", "tag_on_failure"];
        assert_eq!(nearest("mtach", options), Some("match"));
        assert_eq!(nearest("tag_on_fail", options), Some("tag_on_failure"));
        assert_eq!(nearest("zebra", options), None);
    }
}
