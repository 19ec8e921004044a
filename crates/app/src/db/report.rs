//! What a check found, as people read it.

use plimsoll_storage::tool::{Findings, Weight};

/// The findings, a line each and the worst first, and what was looked at.
pub fn lines(found: &Findings) -> impl Iterator<Item = String> {
    let listed = found.list.iter().map(|finding| {
        let weight = match finding.weight {
            Weight::Wrong => "WRONG",
            Weight::Note => "note ",
        };
        let place = [finding.table.as_str(), finding.key.as_str()].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
        format!("{weight} {}: {}: {}", place.join(" "), finding.what, finding.advice)
    });
    let more = (found.wrong + found.notes).saturating_sub(found.list.len() as u64);
    let more = (more > 0).then(|| format!("… and {more} more"));
    let rows: u64 = found.rows.iter().map(|table| table.rows).sum();
    let sum = match (found.wrong, found.notes) {
        (0, 0) => format!("{rows} rows of {} tables: nothing is wrong", found.rows.len()),
        (0, notes) => format!("{rows} rows of {} tables: nothing is wrong, {notes} notes", found.rows.len()),
        (wrong, notes) => format!("{rows} rows of {} tables: {wrong} things are wrong, {notes} notes", found.rows.len()),
    };
    listed.collect::<Vec<_>>().into_iter().chain(more).chain([sum])
}
