//! `--shard`: which shard a process is, as it was typed or as the engine numbers its tasks.
//!
//! The number of shards is always typed: Kubernetes gives none, and Slurm's becomes 1 when one index
//! is submitted again.

use std::{num::NonZeroU32, str::FromStr};

use thiserror::Error;

use crate::shard::{MOST_SHARDS, NotAShard, Shard};

/// The value of `--shard`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedShard {
    /// `I/N`.
    Numbered(Shard),
    /// `auto/N`: the engine says which.
    Auto(NonZeroU32),
}

impl FromStr for AskedShard {
    type Err = NotAskedFor;

    fn from_str(text: &str) -> Result<Self, NotAskedFor> {
        let shard = |text: &str| text.parse::<Shard>().map_err(|NotAShard| NotAskedFor);
        match text.trim().strip_prefix("auto/") {
            Some(of) => shard(&format!("1/{of}")).map(|shard| Self::Auto(shard.of())),
            None => shard(text).map(Self::Numbered),
        }
    }
}

/// A value that is neither `I/N` nor `auto/N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "not a shard: write I/N, such as 3/8, with I from 1 to N, or auto/N where the engine numbers its \
     tasks; N is at most {MOST_SHARDS}"
)]
pub struct NotAskedFor;

/// How an engine tells a task which of all tasks it is.
struct Engine {
    /// Has the number of the task.
    index: &'static str,
    /// The number of the first task.
    first: u32,
    /// Has the number of tasks, where that can be relied on.
    count: Option<&'static str>,
}

const ENGINES: [Engine; 5] = [
    // Kubernetes Indexed Job.
    Engine { index: "JOB_COMPLETION_INDEX", first: 0, count: None },
    Engine {
        index: "AWS_BATCH_JOB_ARRAY_INDEX",
        first: 0,
        count: Some("AWS_BATCH_JOB_ARRAY_SIZE"),
    },
    Engine { index: "CLOUD_RUN_TASK_INDEX", first: 0, count: Some("CLOUD_RUN_TASK_COUNT") },
    Engine { index: "SLURM_ARRAY_TASK_ID", first: 1, count: None },
    Engine { index: "NOMAD_ALLOC_INDEX", first: 0, count: None },
];

/// Why the engine does not say which shard this is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EngineError {
    /// None of the variables is set.
    #[error(
        "--shard auto/{0}: no engine says which shard this is; none of {all} is set. Write the number \
         by hand, such as --shard 1/{0}",
        all = indices()
    )]
    None(NonZeroU32),
    /// Several engines claim the process.
    #[error(
        "--shard auto: {first} and {second} are both set, and one engine is meant; write the number by \
         hand, such as --shard 1/{of}"
    )]
    Several {
        /// A variable that is set.
        first: &'static str,
        /// Another one.
        second: &'static str,
        /// How many shards there are.
        of: NonZeroU32,
    },
    /// The number is none.
    #[error("--shard auto: {index} is \"{value}\", which is no number of a task")]
    NotANumber {
        /// The variable.
        index: &'static str,
        /// What it has.
        value: String,
    },
    /// There is no such shard.
    #[error(
        "--shard auto/{of}: {index} is {value}, and the tasks of {of} shards are numbered from {first} \
         to {last}; start the engine's array with these numbers, or give the number of shards that it has"
    )]
    OutOfRange {
        /// The variable.
        index: &'static str,
        /// What it has.
        value: u32,
        /// How many shards there are.
        of: NonZeroU32,
        /// The number of the first task.
        first: u32,
        /// That of the last one.
        last: u32,
    },
    /// The engine runs another number of tasks.
    #[error(
        "--shard auto/{of}: {count} is {value}; the engine runs another number of tasks than there are \
         shards. Give the same number to both"
    )]
    OtherCount {
        /// The variable.
        count: &'static str,
        /// What it has.
        value: String,
        /// How many shards there are.
        of: NonZeroU32,
    },
}

fn indices() -> String {
    ENGINES.map(|engine| engine.index).join(", ")
}

impl AskedShard {
    /// The shard that is meant. `variable` gives those that are set to something.
    pub fn shard(self, variable: impl Fn(&str) -> Option<String>) -> Result<Shard, EngineError> {
        let of = match self {
            Self::Numbered(shard) => return Ok(shard),
            Self::Auto(of) => of,
        };
        let mut set = ENGINES.iter().filter_map(|engine| Some((engine, variable(engine.index)?)));
        let (engine, value) = set.next().ok_or(EngineError::None(of))?;
        if let Some((other, _)) = set.next() {
            return Err(EngineError::Several { first: engine.index, second: other.index, of });
        }
        let shard = engine.shard(value, of)?;
        match engine.count.and_then(|count| Some((count, variable(count)?))) {
            Some((count, value)) if value.trim() != of.to_string() => {
                Err(EngineError::OtherCount { count, value, of })
            }
            _ => Ok(shard),
        }
    }
}

impl Engine {
    fn shard(&self, value: String, of: NonZeroU32) -> Result<Shard, EngineError> {
        let Self { index, first, .. } = *self;
        let Ok(number) = value.trim().parse::<u32>() else {
            return Err(EngineError::NotANumber { index, value });
        };
        let last = of.get() - 1 + first;
        let from_one = number.checked_sub(first).and_then(|index| index.checked_add(1));
        let shard = from_one.and_then(|from_one| Shard::new(from_one, of.get()));
        shard.ok_or(EngineError::OutOfRange { index, value: number, of, first, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_says_which_shard_it_is_or_nothing_is_guessed() {
        let k8s = ("JOB_COMPLETION_INDEX", "3");
        let aws = ("AWS_BATCH_JOB_ARRAY_INDEX", "3");
        let run = ("CLOUD_RUN_TASK_INDEX", "3");
        for (set, expected) in [
            (&[][..], "none of JOB_COMPLETION_INDEX, AWS_BATCH_JOB_ARRAY_INDEX"),
            (&[k8s], "4/8"),
            (&[("JOB_COMPLETION_INDEX", "0")], "1/8"),
            (&[("JOB_COMPLETION_INDEX", "7")], "8/8"),
            (&[("JOB_COMPLETION_INDEX", "8")], "numbered from 0 to 7"),
            (&[aws], "4/8"),
            (&[aws, ("AWS_BATCH_JOB_ARRAY_SIZE", "8")], "4/8"),
            (&[aws, ("AWS_BATCH_JOB_ARRAY_SIZE", "9")], "AWS_BATCH_JOB_ARRAY_SIZE is 9"),
            (&[run, ("CLOUD_RUN_TASK_COUNT", "8")], "4/8"),
            (&[run, ("CLOUD_RUN_TASK_COUNT", "1")], "CLOUD_RUN_TASK_COUNT is 1"),
            (&[("SLURM_ARRAY_TASK_ID", "3")], "3/8"),
            (&[("SLURM_ARRAY_TASK_ID", "3"), ("SLURM_ARRAY_TASK_COUNT", "1")], "3/8"),
            (&[("SLURM_ARRAY_TASK_ID", "8")], "8/8"),
            (&[("SLURM_ARRAY_TASK_ID", "0")], "numbered from 1 to 8"),
            (&[("SLURM_ARRAY_TASK_ID", "9")], "numbered from 1 to 8"),
            (&[("NOMAD_ALLOC_INDEX", "3")], "4/8"),
            (&[("NOMAD_ALLOC_INDEX", "three")], "\"three\", which is no number"),
            (&[("NOMAD_ALLOC_INDEX", "-1")], "\"-1\", which is no number"),
            (&[("NOMAD_ALLOC_INDEX", "4294967295")], "numbered from 0 to 7"),
            (&[k8s, run], "JOB_COMPLETION_INDEX and CLOUD_RUN_TASK_INDEX are both set"),
            (&[("CLOUD_RUN_TASK_COUNT", "8")], "none of"),
        ] {
            let variable = |name: &str| {
                let found = set.iter().find(|(set, _)| *set == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let asked: AskedShard = "auto/8".parse().unwrap();
            match asked.shard(variable) {
                Ok(shard) => assert_eq!(shard.to_string(), expected, "{set:?}"),
                Err(error) => assert!(error.to_string().contains(expected), "{set:?}: {error}"),
            }
            let typed: AskedShard = "2/3".parse().unwrap();
            assert_eq!(typed.shard(variable).map(|shard| shard.to_string()), Ok("2/3".into()));
        }
    }

    #[test]
    fn only_a_shard_or_auto_is_taken() {
        assert_eq!("auto/8".parse(), Ok(AskedShard::Auto(NonZeroU32::new(8).unwrap())));
        assert_eq!("3/8".parse(), Ok(AskedShard::Numbered("3/8".parse().unwrap())));
        for bad in ["auto", "auto/", "auto/0", "auto/-1", "AUTO/8", "8", "0/8", "auto/100001"] {
            assert_eq!(bad.parse::<AskedShard>(), Err(NotAskedFor), "{bad}");
        }
    }
}
