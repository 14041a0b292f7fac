//! A session of somebody else, held open.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
};

use crate::support::Launch;

/// A command-line program that is told one thing after the other. It ends with the value.
pub(crate) struct Session {
    child: Child,
    words: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Session {
    pub(super) fn new(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.launch();
        let words = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (answer, answers) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = answer.send(line);
            }
        });
        Self { child, words, answers }
    }

    /// Says something, without waiting for the answer.
    pub(crate) fn say(&mut self, statements: &str) {
        let words = self.words.as_mut().unwrap();
        words.write_all(statements.as_bytes()).unwrap();
        words.flush().unwrap();
    }

    /// Whether a row has come that was not seen before.
    pub(crate) fn has_answered(&mut self) -> bool {
        self.answers.try_recv().is_ok()
    }

    /// Waits until it has done all that it was told.
    pub(crate) fn end(&mut self) {
        drop(self.words.take());
        let _ = self.child.wait();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
