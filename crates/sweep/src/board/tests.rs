#![allow(clippy::unwrap_used, reason = "tests may panic")]

use super::*;
use crate::space::Parameter;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn space() -> Space {
    let words = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
    let parameters = vec![
        Parameter::int("x", 0, 99, 1).unwrap(),
        Parameter::float("y", 0, 50 * 100_000_000, 100_000_000).unwrap(),
        Parameter::choice("w", words).unwrap(),
    ];
    Space::new(parameters).unwrap()
}

/// A hill whose top, 0, is at x 70, y 12 and word c; a corner of it cannot be run.
fn hill(point: &Point) -> Result<Outcome, String> {
    let (x, y, w) = (f64::from(point[0]), f64::from(point[1]), point[2]);
    if x < 5.0 {
        return Ok(Outcome::refused("too small"));
    }
    let score = -((x - 70.0) / 10.0).powi(2) - ((y - 12.0) / 5.0).powi(2) - if w == 2 { 0.0 } else { 4.0 };
    Ok(Outcome { score: Some(score), return_percent: Some(score), ..Outcome::default() })
}

type Runner<'a> = &'a (dyn Fn(&Point) -> Result<Outcome, String> + Sync);

fn run(path: &Path, method: Method, seed: u64, workers: usize, by: Runner<'_>) -> Result<Vec<Trial>, SearchError<String>> {
    let space = space();
    let mut file = TrialFile::open(path, &space).unwrap();
    search(&Search { space: &space, method, seed, trials: 150, workers }, 0, &mut file, by, &|_, _| {})
}

/// The same trials and the same bytes, by one thread and by many that finish in any order.
#[test]
fn the_number_of_threads_never_shows() {
    let dir = tempfile::tempdir().unwrap();
    for method in [Method::Random, Method::Tpe] {
        let one = run(&dir.path().join("one.csv"), method, 5, 1, &hill).unwrap();
        let uneven = |point: &Point| {
            std::thread::sleep(Duration::from_micros(u64::from(point[0] * 37 % 11) * 200));
            hill(point)
        };
        let many = run(&dir.path().join("many.csv"), method, 5, 7, &uneven).unwrap();
        assert_eq!(one.len(), 150);
        assert_eq!(one, many);
        let bytes = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
        assert_eq!(bytes("one.csv"), bytes("many.csv"));
        let other = run(&dir.path().join("other.csv"), method, 6, 3, &hill).unwrap();
        assert_ne!(one, other);
        for name in ["one.csv", "many.csv", "other.csv"] {
            std::fs::remove_file(dir.path().join(name)).unwrap();
        }
    }
}

/// Whatever of the file is left, the sweep goes on to the same end, and runs nothing again whose row is whole.
#[test]
fn a_search_goes_on_where_its_file_ends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.csv");
    let whole = run(&path, Method::Tpe, 9, 3, &hill).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for len in (0..bytes.len()).step_by(997) {
        std::fs::write(&path, &bytes[..len]).unwrap();
        let rows = bytes[..len].iter().filter(|b| **b == b'\n').count().saturating_sub(1);
        let runs = AtomicUsize::new(0);
        let counted = |point: &Point| {
            runs.fetch_add(1, Ordering::Relaxed);
            hill(point)
        };
        assert_eq!(run(&path, Method::Tpe, 9, 2, &counted).unwrap(), whole);
        assert_eq!(runs.into_inner(), 150 - rows);
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
    // With another seed it is another search.
    assert!(matches!(run(&path, Method::Tpe, 10, 2, &hill), Err(SearchError::File(TrialFileError::Foreign { line: 2, .. }))));
}

#[test]
fn nothing_is_tried_twice_and_a_grid_tries_all() {
    let dir = tempfile::tempdir().unwrap();
    let small = Space::new(vec![Parameter::int("x", 0, 9, 1).unwrap(), Parameter::int("y", 0, 5, 1).unwrap()]).unwrap();
    let flat = |_: &Point| Ok::<_, String>(Outcome { score: Some(0.0), ..Outcome::default() });
    for (at, method) in [Method::Grid, Method::Random, Method::Tpe].into_iter().enumerate() {
        let mut file = TrialFile::open(&dir.path().join(format!("{at}.csv")), &small).unwrap();
        let asked = Search { space: &small, method, seed: 1, trials: 1_000, workers: 2 };
        let trials = search(&asked, 0, &mut file, &flat, &|_, _| {}).unwrap();
        let ranks: BTreeSet<u128> = trials.iter().map(|t| small.rank(&t.point)).collect();
        assert_eq!((trials.len(), ranks.len()), (60, 60), "{method:?}");
    }
}

/// On the hill the learning search is nearer to the top than chance, for most seeds; the seeds are fixed.
#[test]
fn the_learning_search_learns() {
    let dir = tempfile::tempdir().unwrap();
    let top = |method, seed: u64| {
        let path = dir.path().join(format!("{method:?}{seed}.csv"));
        best(&run(&path, method, seed, 2, &hill).unwrap()).unwrap().outcome.score.unwrap()
    };
    let better = (0..20).filter(|seed| top(Method::Tpe, *seed) > top(Method::Random, *seed)).count();
    assert!(better >= 16, "{better} of 20");
}

#[test]
fn a_run_that_breaks_off_ends_the_search() {
    let dir = tempfile::tempdir().unwrap();
    let broken = |point: &Point| if point[0] == 50 { Err("the tape is damaged".to_owned()) } else { hill(point) };
    let space = Space::new(vec![
        Parameter::int("x", 0, 99, 1).unwrap(),
        Parameter::int("y", 0, 0, 1).unwrap(),
        Parameter::int("w", 0, 0, 1).unwrap(),
    ])
    .unwrap();
    let mut file = TrialFile::open(&dir.path().join("t.csv"), &space).unwrap();
    let asked = Search { space: &space, method: Method::Grid, seed: 0, trials: 1, workers: 3 };
    let error = search(&asked, 0, &mut file, &broken, &|_, _| {}).unwrap_err();
    assert!(matches!(error, SearchError::Run(text) if text == "the tape is damaged"));
    // What came before it is kept.
    let rows = std::fs::read_to_string(dir.path().join("t.csv")).unwrap().lines().count();
    assert!((2..=51).contains(&rows), "{rows}");
}

/// A bug in a run ends the search by a panic of its own, instead of leaving the others to wait for ever.
#[test]
fn a_panic_does_not_leave_the_others_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.csv");
    let bug = |point: &Point| if point[2] == 3 { panic!("bug") } else { hill(point) };
    let ended = std::panic::catch_unwind(|| run(&path, Method::Tpe, 3, 3, &bug).map(|_| ()).map_err(|_| ()));
    assert!(ended.is_err());
}

#[test]
fn too_much_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let large = run(&dir.path().join("t.csv"), Method::Grid, 0, 1, &hill).unwrap_err();
    assert!(matches!(large, SearchError::TooLarge(20_400)), "{large}");
    assert!(matches!(run(&dir.path().join("u.csv"), Method::Random, 0, 0, &hill), Err(SearchError::Workers(0))));
    assert!(matches!(run(&dir.path().join("u.csv"), Method::Random, 0, 65, &hill), Err(SearchError::Workers(65))));
}
