//! What the performance page says of the budgets is what CI holds.

const PAGE: &str = include_str!("../../docs/performance.md");
const BENCH: &str = include_str!("../../benches/instructions.rs");

#[test]
fn the_page_has_the_budgets_that_are_in_force() {
    let constant = |line: &str| {
        let (name, number) = line.trim().strip_prefix("pub const ")?.strip_suffix(';')?.split_once(": u64 = ")?;
        Some((name.to_lowercase(), number.replace('_', ",")))
    };
    let budgets: Vec<_> = BENCH.lines().filter_map(constant).collect();
    assert_eq!(budgets.len(), 7, "{budgets:?}");
    for (path, number) in budgets {
        let row = PAGE.lines().find(|line| line.starts_with(&format!("| `{path}` |")));
        let row = row.unwrap_or_else(|| panic!("no row of {path}"));
        assert!(row.ends_with(&format!("| {number} |")), "{row}: the budget is {number}");
    }
}
