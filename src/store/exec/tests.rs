use serde_json::json;

use super::*;
use crate::exit::Exit;
use StoreOutcome::{Already, Failed, Newer, Replaced};

fn pair(row: u32) -> Pair {
    let line = json!({
        "applicationId": "5a0dbc0de5a0dbc0de5a0dbc", "resourceId": id(row),
        "access_token": format!("access-token-{row}"), "refresh_token": format!("refresh-token-{row}"),
        "token_type": "Bearer", "expires_in": 86399, "expire_at": 1_800_000_000_000_u64,
        "scope": "contacts.readonly", "userType": "Location", "companyId": "tDtDnQdgm2LXpyiqYvZ6",
        "locationId": id(row),
    });
    Pair::read(line.to_string().as_bytes(), row, "5a0dbc0de5a0dbc0de5a0dbc-m1sandbx").unwrap()
}

pub(super) fn pairs(count: u32) -> Vec<Pair> {
    (1..=count).map(pair).collect()
}

fn id(row: u32) -> String {
    format!("loc{row:017}")
}

/// A helper whose body is Python that has `lines` and `answer`.
fn helper(body: &str) -> (tempfile::TempDir, Exec) {
    let place = tempfile::tempdir().unwrap();
    let script = place.path().join("helper.py");
    let head = "import json, os, sys, time\n\
        def lines():\n    for line in sys.stdin:\n        yield json.loads(line)\n\
        def answer(seq, outcome='replaced', **more):\n    \
            print(json.dumps({'seq': seq, 'outcome': outcome, **more}), flush=True)\n";
    std::fs::write(&script, format!("{head}{body}")).unwrap();
    let mut exec = Exec::start(&format!("python3 '{}'", script.display())).unwrap();
    exec.patience = Duration::from_secs(10);
    (place, exec)
}

fn outcomes(written: &[Written]) -> Vec<StoreOutcome> {
    written.iter().map(|written| written.outcome).collect()
}

#[test]
fn a_pair_is_given_with_all_its_fields() {
    let line: serde_json::Value = serde_json::from_slice(&line::of(&pair(3), 7)).unwrap();
    let expected = json!({
        "v": 1, "seq": 7, "id": id(3), "kind": "location", "app": "5a0dbc0de5a0dbc0de5a0dbc",
        "access_token": "access-token-3", "refresh_token": "refresh-token-3",
        "expires_at": "2027-01-15T08:00:00.000Z", "expires_in": 86399,
        "granted_at": "2027-01-14T08:00:01.000Z", "token_type": "Bearer",
        "scope": "contacts.readonly", "user_type": "Location",
        "company_id": "tDtDnQdgm2LXpyiqYvZ6", "location_id": id(3), "user_id": null,
        "document": pair(3).document,
    });
    assert_eq!(line, expected);
}

#[tokio::test]
async fn answers_come_in_any_order_and_are_given_in_that_of_the_batch() {
    let (_place, mut exec) = helper(
        "held = []\n\
         for pair in lines():\n    \
             if pair['seq'] == 1: answer(1, 'already'); continue\n    \
             held.append(pair)\n    \
             if len(held) == 4:\n        \
                 for p in reversed(held): answer(p['seq'], 'newer' if p['seq'] % 2 else 'replaced')\n        \
                 held = []\n",
    );
    let written = exec.write(&pairs(9)).await.unwrap();
    let expected = [Already, Replaced, Newer, Replaced, Newer, Replaced, Newer, Replaced, Newer];
    assert_eq!(outcomes(&written), expected);
    exec.end().await.unwrap();
}

#[tokio::test]
async fn the_first_pair_goes_alone_and_then_no_more_than_32() {
    let (place, mut exec) = helper(
        "import select\n\
         most, seen = 0, 0\n\
         buffer = b''\n\
         waiting = []\n\
         log = open(os.path.join(os.path.dirname(__file__), 'log'), 'w')\n\
         while True:\n    \
             ready = select.select([0], [], [], 0.2)[0]\n    \
             if ready:\n        \
                 piece = os.read(0, 1 << 16)\n        \
                 if not piece: break\n        \
                 buffer += piece\n        \
                 *whole, buffer = buffer.split(b'\\n')\n        \
                 waiting += [json.loads(l)['seq'] for l in whole]\n    \
             else:\n        \
                 print(len(waiting), file=log, flush=True)\n        \
                 for seq in waiting: answer(seq)\n        \
                 waiting = []\n",
    );
    let written = exec.write(&pairs(70)).await.unwrap();
    assert!(written.iter().all(|written| written.outcome == Replaced));
    exec.end().await.unwrap();
    let log = std::fs::read_to_string(place.path().join("log")).unwrap();
    let seen: Vec<&str> = log.lines().filter(|line| *line != "0").collect();
    assert_eq!(seen, ["1", "32", "32", "5"]);
}

#[tokio::test]
async fn a_pair_that_is_not_answered_in_time_fails_alone() {
    let (_place, mut exec) =
        helper("for pair in lines():\n    if pair['seq'] != 2: answer(pair['seq'])\n");
    exec.patience = Duration::from_secs(3);
    let written = exec.write(&pairs(3)).await.unwrap();
    assert_eq!(outcomes(&written), [Replaced, Failed, Replaced]);
    assert!(written[1].message.as_str().contains("within 3 s"), "{}", written[1].message);
    assert_eq!(exec.write(&[pair(4)]).await.unwrap()[0].outcome, Replaced);
}

#[tokio::test]
async fn a_helper_that_never_answers_is_given_up() {
    let (_place, mut exec) = helper("for pair in lines(): pass\n");
    exec.patience = Duration::from_millis(100);
    // The first two are given up one by one.
    let written = exec.write(&pairs(5)).await.unwrap();
    assert!(written.iter().all(|written| written.outcome == Failed));
    let fault = exec.end().await.unwrap_err();
    assert_eq!(fault.exit(), Exit::Halted);
    assert!(fault.to_string().contains("flush standard output"), "{fault}");
}

#[tokio::test]
async fn a_pair_that_is_answered_twice_counts_as_failed() {
    let (_place, mut exec) = helper(
        "for pair in lines():\n    \
             if pair['seq'] == 1: answer(1); answer(1, 'failed')\n    \
             else: answer(pair['seq'])\n",
    );
    let written = exec.write(&pairs(2)).await.unwrap();
    assert_eq!(outcomes(&written), [Failed, Replaced]);
    assert!(written[0].message.as_str().contains("`replaced` and `failed`"));
}

#[tokio::test]
async fn garbage_stops_the_store_and_says_where_it_belongs() {
    for body in [
        "print('connected', flush=True)\nfor pair in lines(): answer(pair['seq'])\n",
        "for pair in lines(): answer(pair['seq'] + 100)\n",
        "for pair in lines(): answer(0)\n",
        "sys.stdin.readline(); sys.stdout.buffer.write(b'\\xff\\n'); sys.stdout.flush()\n",
    ] {
        let (_place, mut exec) = helper(body);
        let fault = exec.write(&pairs(2)).await.unwrap_err();
        assert_eq!(fault.exit(), Exit::Halted);
        assert!(fault.to_string().contains("belongs on standard error"), "{fault}");
    }
}

#[tokio::test]
async fn what_was_answered_before_the_helper_broke_off_is_kept() {
    let (_place, mut exec) = helper(
        "for pair in lines():\n    \
             if pair['seq'] == 3: sys.exit('lost: ' + pair['access_token'] + ' key ' + 'k1' * 30)\n    \
             answer(pair['seq'])\n    \
             time.sleep(0.05)\n",
    );
    let written = exec.write(&pairs(5)).await.unwrap();
    assert_eq!(outcomes(&written), [Replaced, Replaced, Failed, Failed, Failed]);
    let fault = exec.write(&pairs(1)).await.unwrap_err().to_string();
    assert!(fault.contains("exit status: 1"), "{fault}");
    assert!(fault.ends_with("; it said: lost: [secret] key [cut]"), "{fault}");
}

#[tokio::test]
async fn the_secrets_of_the_program_are_not_inherited() {
    // What is looked for is the absence of a name: nothing has to be set.
    let (_place, mut exec) = helper(
        "bad = [n for n in os.environ if n in ('GHL_CLIENT_SECRET', 'GHL_AGENCY_TOKEN')]\n\
         for pair in lines():\n    \
             text = ' '.join(sys.argv) + ' '.join(os.environ.values())\n    \
             ok = not bad and pair['access_token'] not in text and 'PATH' in os.environ\n    \
             answer(pair['seq'], 'replaced' if ok else 'failed')\n",
    );
    assert_eq!(exec.write(&pairs(1)).await.unwrap()[0].outcome, Replaced);
}

#[tokio::test]
async fn a_helper_that_ends_before_its_first_answer_is_a_fault_that_says_why() {
    for (script, why, is_success) in
        [("sys.exit('no driver')\n", "no driver", false), ("os._exit(0)\n", "status: 0", true)]
    {
        let (_place, mut exec) = helper(script);
        let fault = exec.write(&pairs(3)).await.unwrap_err().to_string();
        assert!(fault.contains("before it had answered") && fault.contains(why), "{fault}");
        assert_eq!(exec.end().await.is_ok(), is_success, "{script}");
    }
}

#[tokio::test]
async fn a_helper_is_killed_that_does_not_end() {
    let (place, mut exec) = helper(
        "import subprocess\n\
         child = subprocess.Popen(['sleep', '100'])\n\
         open(os.path.join(os.path.dirname(__file__), 'pids'), 'w').write(f'{os.getpid()} {child.pid}')\n\
         for pair in lines(): answer(pair['seq'])\n\
         time.sleep(100)\n",
    );
    exec.write(&pairs(1)).await.unwrap();
    let pids = std::fs::read_to_string(place.path().join("pids")).unwrap();
    assert!(exec.program.end(Duration::from_millis(100)).await.is_none());
    drop(exec);
    for pid in pids.split(' ') {
        for _ in 0..100 {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
            let lives = stat.is_ok_and(|stat| !stat.contains(") Z "));
            if !lives {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        assert!(!stat.is_ok_and(|stat| !stat.contains(") Z ")), "{pid} lives on");
    }
}

#[tokio::test]
async fn a_failure_after_the_last_answer_is_told() {
    let (_place, mut exec) =
        helper("for pair in lines(): answer(pair['seq'])\nsys.exit('cannot flush')\n");
    exec.write(&pairs(1)).await.unwrap();
    let fault = exec.end().await.unwrap_err().to_string();
    assert!(fault.ends_with("it said: cannot flush"), "{fault}");
}

#[test]
fn a_helper_that_is_not_there_is_wrong_usage() {
    for command in ["no-such-helper --at all", "", "sh '"] {
        assert_eq!(Exec::find(command).unwrap_err().exit(), Exit::Usage, "{command}");
    }
    assert!(Exec::find("sh -c true").unwrap().ends_with("sh"));
}
