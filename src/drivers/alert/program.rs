//! Hooks that are programs: the event's name as the last argument, the document on standard input, exit 0 when delivered.

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};

use crate::drivers::program::{self, Call, Ended, GRACE, Output};
use crate::ports::{Notifier, OutboxItem};

/// A program that takes documents.
#[derive(Clone, Debug)]
pub struct ProgramHook {
    program: Vec<String>,
    timeout: Duration,
    grace: Duration,
}

impl ProgramHook {
    /// `timeout`: machine time. Then the program's group gets SIGTERM, and SIGKILL after [`GRACE`].
    pub fn new(program: Vec<String>, timeout: Duration) -> Self {
        Self { program, timeout, grace: GRACE }
    }

    /// Another time between SIGTERM and SIGKILL than [`GRACE`].
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    async fn run(&self, item: &OutboxItem) -> Result<(), String> {
        let (slot, verb) = (format!("hook {}", item.hook), item.event.clone());
        let call = Call { slot, program: self.program.clone(), verb, input: item.document.clone().into_bytes() };
        match program::passing(&call, self.timeout, self.grace).await {
            Ok(Output { ended: Ended::Exited(0), .. }) => Ok(()),
            Ok(output) => Err(self.failure(output)),
            Err(why) => Err(why.to_string()),
        }
    }

    fn failure(&self, output: Output) -> String {
        let how = match output.ended {
            Ended::Exited(code) => format!("exit code {code}, expected 0"),
            Ended::Signalled(signal) => format!("the program was ended by signal {signal}"),
            Ended::OverLimit => format!("the program ran longer than {} s and was ended", self.timeout.as_secs_f64()),
            Ended::Unknown(why) => why,
        };
        match output.last_words {
            Some(words) => format!("{how}; its last line on standard error: `{words}`"),
            None => how,
        }
    }
}

impl Notifier for ProgramHook {
    fn deliver<'a>(&'a self, item: &'a OutboxItem) -> BoxFuture<'a, Result<(), String>> {
        self.run(item).boxed()
    }
}
