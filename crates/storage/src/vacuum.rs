//! Space that deleted rows leave goes back to the file system, a little at a time.
//!
//! A server's autovacuum makes such space usable again by itself; there is nothing to do for it here.

use sea_orm::sqlx::Row as _;
use sea_orm::sqlx::sqlite::SqliteRow;

use crate::commit::limited;
use crate::db::{Db, PAGE_BYTES, number};
use crate::error::StoreError;
use crate::limits::{FREE_PAGES_KEPT, FREE_SHARE_KEPT};

/// One step: [`crate::limits::VACUUM_PAGES`] pages.
const STEP: &str = "PRAGMA incremental_vacuum(256)";
const _: () = assert!(crate::limits::VACUUM_PAGES == 256);

/// Does not wait for readers as long as other statements wait for locks: whoever has something to commit waits meanwhile.
const CHECKPOINT: &str = "PRAGMA busy_timeout = 100; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA busy_timeout = 5000";
const PATIENCE: &str = "PRAGMA busy_timeout = 5000";
const _: () = assert!(crate::limits::BUSY_TIMEOUT.as_millis() == 5_000);

/// Pages of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pages {
    pub(crate) all: u64,
    pub(crate) free: u64,
    /// Whether the file was made so that it can give pages back.
    pub(crate) shrinks: bool,
}

impl Pages {
    /// Whether so many are free that it is worth giving them back; those that the next rows need anyway stay.
    pub(crate) fn are_too_many(self) -> bool {
        self.shrinks && self.free > FREE_PAGES_KEPT + self.all / FREE_SHARE_KEPT
    }

    /// Bytes of what is stored, without the free pages.
    pub(crate) fn used_bytes(self) -> u64 {
        self.all.saturating_sub(self.free) * PAGE_BYTES
    }
}

/// Which free pages are given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Give {
    /// Those beyond what the next rows need.
    Excess,
    /// All of them: the disk is needed for something else.
    All,
}

/// Reads the pages of a file; those of a server are its own business.
pub(crate) async fn pages(db: &Db) -> Result<Pages, StoreError> {
    if !db.is_sqlite() {
        return Ok(Pages::default());
    }
    let at = db.read("storage.vacuum").await?;
    let lift = |error| db.error(error);
    let all = number(&at, "PRAGMA page_count").await.map_err(lift)?;
    let free = number(&at, "PRAGMA freelist_count").await.map_err(lift)?;
    let mode = number(&at, "PRAGMA auto_vacuum").await.map_err(lift)?;
    Ok(Pages { all: all.unsigned_abs(), free: free.unsigned_abs(), shrinks: mode == INCREMENTAL })
}

/// What `PRAGMA auto_vacuum` says of a file that gives pages back when it is told to.
pub(crate) const INCREMENTAL: i64 = 2;

/// Gives back one step of pages if there are too many; tells the pages before and after. Both are the same when nothing is left to do.
pub(crate) async fn step(db: &Db, give: Give) -> Result<(Pages, Pages), StoreError> {
    limited(db, async {
        let before = pages(db).await?;
        let due = match give {
            Give::Excess => before.are_too_many(),
            Give::All => before.shrinks && before.free > 0,
        };
        if !due {
            return Ok((before, before));
        }
        db.run("storage.vacuum", STEP).await?;
        Ok((before, pages(db).await?))
    })
    .await
}

/// Moves the write-ahead log into the database and cuts it; tells whether somebody who reads kept it from being cut.
pub(crate) async fn checkpoint(db: &Db) -> Result<bool, StoreError> {
    if !db.is_sqlite() {
        return Ok(false);
    }
    let done = limited(db, db.ask("storage.checkpoint", CHECKPOINT)).await;
    if done.is_err() {
        limited(db, db.run("storage.checkpoint", PATIENCE)).await?;
    }
    let rows = done?;
    // Of the three statements only the checkpoint answers with three columns: busy, pages of the log, pages moved.
    let answer = rows.iter().find(|row: &&SqliteRow| row.len() == 3);
    Ok(answer.and_then(|row| row.try_get::<i64, _>(0).ok()).is_some_and(|busy| busy != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_stays_for_the_next_rows() {
        let pages = |all, free| Pages { all, free, shrinks: true };
        assert!(!pages(16_000, 1_256).are_too_many());
        assert!(pages(16_000, 1_257).are_too_many());
        assert!(!pages(100, 100).are_too_many(), "a small file is left alone");
        assert!(!Pages { shrinks: false, ..pages(16_000, 9_000) }.are_too_many());
        assert_eq!(pages(10, 4).used_bytes(), 6 * 4_096);
    }
}
