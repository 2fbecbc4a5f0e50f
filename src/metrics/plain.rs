//! Prometheus' own text format, 0.0.4, for whoever does not ask for OpenMetrics.

/// A text of OpenMetrics in it: counters are named as their samples are, and units and the end are not told.
pub fn plain(text: &str) -> String {
    let counter = |name: &str| text.contains(&format!("# TYPE {name} counter\n"));
    let mut plain = String::with_capacity(text.len());
    for line in text.lines().filter(|line| !line.starts_with("# UNIT ") && *line != "# EOF") {
        let named = ["# HELP ", "# TYPE "].into_iter().find_map(|mark| Some((mark, line.strip_prefix(mark)?)));
        match named.and_then(|(mark, rest)| Some((mark, rest.split_once(' ')?))) {
            Some((mark, (name, rest))) if counter(name) => plain.extend([mark, name, "_total ", rest, "\n"]),
            _ => plain.extend([line, "\n"]),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_have_the_names_of_their_samples() {
        let text = "# HELP a Some.\n# TYPE a counter\na_total{x=\"# TYPE y\"} 1\n\
            # HELP b_seconds More.\n# TYPE b_seconds histogram\n# UNIT b_seconds seconds\nb_seconds_sum 0.5\n# EOF\n";
        let want = "# HELP a_total Some.\n# TYPE a_total counter\na_total{x=\"# TYPE y\"} 1\n\
            # HELP b_seconds More.\n# TYPE b_seconds histogram\nb_seconds_sum 0.5\n";
        assert_eq!(plain(text), want);
    }
}
