//! Whatever happens, what is stored is a prefix of what was recorded.

use crate::common::{Place, all_fills, check_prefix, key, open, record};
use plimsoll_market::Totals;
use plimsoll_storage::{RawStoreConfig, Recorder, Store};
use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};

#[derive(Clone, Debug)]
enum Step {
    /// Records so many, without letting the writer run in between.
    Record(u64),
    /// Lets the writer run a little.
    Yield(usize),
    /// Flushes: what was recorded must be there from now on.
    Flush,
    /// Loses power: every task is dropped where it stands.
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1_u64..6).prop_map(Step::Record),
        1 => (6_u64..50).prop_map(Step::Record),
        3 => (1_usize..60).prop_map(Step::Yield),
        1 => Just(Step::Flush),
        1 => Just(Step::Crash),
    ];
    proptest::collection::vec(step, 1..40)
}

/// One life of a process.
struct Life {
    runtime: Runtime,
    store: Store,
    recorder: Recorder,
}

impl Life {
    fn begin(config: RawStoreConfig) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let store = runtime.block_on(open(config)).unwrap();
        let recorder = store.recorder(key("BTCUSDT"));
        Self { runtime, store, recorder }
    }

    /// What the next start finds: the totals of the fills stored.
    fn stored(&self) -> Totals {
        let key = key("BTCUSDT");
        self.runtime.block_on(async {
            let stored = self.store.load(&key).await.unwrap();
            check_prefix(&stored, &all_fills(&self.store, &key).await);
            stored.totals.unwrap_or(Totals::EMPTY)
        })
    }
}

fn check(steps: &[Step]) {
    let place = Place::file();
    // Small batches, so that queues fill and batches split.
    let config = || RawStoreConfig { batch_size: 3, flush_interval_ms: 10, ..place.config() };
    let mut life = Life::begin(config());
    let (mut totals, mut safe) = (Totals::EMPTY, 0);
    for step in steps {
        match step {
            Step::Record(number) => {
                for _ in 0..*number {
                    let record = record(totals.fills + 1, &totals);
                    if life.recorder.record(record).is_err() {
                        // As an engine does: builds its books anew from what is stored, and fetches the rest.
                        totals = life.stored();
                        life.recorder.resume();
                        break;
                    }
                    totals = record.totals;
                }
            }
            Step::Yield(turns) => life.runtime.block_on(async {
                for _ in 0..*turns {
                    tokio::task::yield_now().await;
                }
            }),
            Step::Flush => {
                life.runtime.block_on(life.store.flush()).unwrap();
                safe = totals.fills;
            }
            Step::Crash => {
                let recorded = totals.fills;
                drop(life);
                life = Life::begin(config());
                totals = life.stored();
                assert!((safe..=recorded).contains(&totals.fills), "{} of {recorded} stored, {safe} flushed", totals.fills);
            }
        }
    }
    assert_eq!(life.stored(), totals, "what was never lost is there");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_crash_leaves_a_prefix(steps in steps()) {
        check(&steps);
    }
}

#[test]
fn refused_record_leaves_no_hole() {
    check(&[Step::Record(49), Step::Crash, Step::Record(49), Step::Flush, Step::Crash]);
}
