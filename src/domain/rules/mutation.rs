//! Rules switched off on purpose, to show that the exploration finds each one missing. Only in tests: feature `test-mutation`.

use std::cell::Cell;

use crate::domain::rule::Rule;

thread_local! {
    static OFF: Cell<Option<Rule>> = const { Cell::new(None) };
}

/// Runs `body` on this thread with one rule off.
pub fn without<T>(rule: Rule, body: impl FnOnce() -> T) -> T {
    let before = OFF.replace(Some(rule));
    let result = body();
    OFF.set(before);
    result
}

/// True while this rule is off on this thread.
pub fn is_off(rule: Rule) -> bool {
    OFF.get() == Some(rule)
}
