//! `merge`: the run folders of the shards of one list become one run folder.

use std::path::Path;

use crate::{
    clock,
    engine::closing::rewrite_views,
    event::{self, Event},
    exit::{Exit, Fault, OrExit},
    journal::{
        disk::Disk,
        draft::Draft,
        merge::{self, AbsentRows, HeldShard, HeldShards, Missing},
    },
    pace::memory::Memory,
    plan::counted,
    settings::args::MergeArgs,
    terminal::{
        console::Console,
        run_log::RunLog,
        summary::{self, As},
    },
    views::{self, bound::Exceeded},
};

/// Joins the run folders.
#[expect(clippy::needless_pass_by_value, reason = "the run has the disk for itself")]
pub fn merge(args: &MergeArgs, console: Console, disk: Disk) -> Result<Exit, Fault> {
    // The folders are looked at and held; what does not belong together is refused.
    let missing = if args.partial { Missing::NotAttempted } else { Missing::Refused };
    let held = merge::hold(&args.run_dirs, missing, &disk)?;
    let absent = absent_rows(args, &held).or_exit(Exit::Usage)?;
    let draft = Draft::begin(&args.out, &disk)?;

    // Journal, tokens and files of the whole are written into a draft, and read back.
    let log = RunLog::open(draft.folder(), console.format).or_exit(Exit::Local)?;
    let note = |line: &str| {
        log.note(line);
        console.print(line);
    };
    for line in in_words(&held) {
        note(&line);
    }
    let exceeded = exceeded(&held).or_exit(Exit::Local)?;
    merge::write(&held, absent, exceeded, draft.folder(), &note)?;
    take_starts_over(&held, draft.folder().path()).or_exit(Exit::Local)?;
    let summary = rewrite_views(draft.folder(), None, &note)?;
    drop(log);

    // The folder gets its name, and the summary is shown.
    let (folder, _lock) = draft.finish()?;
    let form = if args.json { As::Json } else { As::Words };
    summary::show(&summary, &folder, &summary.settings, form, console);
    Ok(summary.exit)
}

/// The whole goes on at the rate of all: it knows what the shards have started.
fn take_starts_over(held: &HeldShards, whole: &Path) -> std::io::Result<()> {
    let mut shards = held.shards.iter();
    shards.try_for_each(|one| Memory::take_over(one.folder.path(), one.shard, whole))
}

fn absent_rows(args: &MergeArgs, held: &HeldShards) -> anyhow::Result<Option<AbsentRows>> {
    let Some(first) = held.shards.first() else { return Ok(None) };
    AbsentRows::open(&first.started, &held.absent, args.list.as_deref())
}

/// What is joined, for the log of the whole.
fn in_words(held: &HeldShards) -> Vec<String> {
    let shard = |HeldShard { folder, shard, started, .. }: &HeldShard| {
        format!("Shard {shard}  run {} in {}", started.run_id, folder.path().display())
    };
    let absent = (!held.absent.is_empty()).then(|| {
        let count = u32::try_from(held.absent.len()).unwrap_or(u32::MAX);
        format!(
            "warning: {}; the rows of {} count as not attempted",
            merge::missing_in_words(&held.absent),
            counted(count, "shard")
        )
    });
    held.shards.iter().map(shard).chain(absent).collect()
}

/// The shards that started more requests than their shares allow. Each is held to its share by its own
/// clock: then the sum keeps the bound, however far the clocks are apart.
fn exceeded(held: &HeldShards) -> anyhow::Result<Vec<Event>> {
    let mut events = Vec::new();
    for HeldShard { folder, shard, .. } in &held.shards {
        if let Some(exceeded) = views::exceeded(&folder.journal())? {
            let Exceeded { starts, allowed, window } = exceeded;
            let (at, window_ms) = (clock::now(), clock::millis(window));
            let shard = *shard;
            events.push(Event::Exceeded(event::Exceeded { at, shard, starts, allowed, window_ms }));
        }
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use crate::{journal::draft::MERGED, views};

    #[test]
    fn whatever_is_written_before_the_folder_has_its_name_can_be_removed_again() {
        for name in views::names() {
            assert!(MERGED.contains(&name), "{name}");
        }
    }
}
