//! The usual message: fields in order, each singular one once. One pass, one allocation.

use super::fit::Fit;
use super::output::Output;
use super::wire::{Budget, Reader, Token, Value};
use super::{FilterError, Filtered, Limits};
use crate::domain::grant::{Arity, Node, Trie};

/// None for a message that only [`super::exact`] can do. It then has been read once, no more: trying again at
/// each depth would let a hostile source double the work at each.
pub(super) fn filter(
    trie: &Trie,
    input: &[u8],
    limits: &Limits,
) -> Result<Option<Filtered>, FilterError> {
    let budget = Budget::new(limits, input)?;
    let mut pass = Pass {
        output: Output::new(input.len(), limits),
        budget,
    };
    match pass.message(trie.root(), input, 0) {
        Ok(()) => Ok(Some(pass.output.into_filtered())),
        Err(Halt::Unusual) => Ok(None),
        Err(Halt::Invalid(error)) => Err(error),
    }
}

enum Halt {
    Unusual,
    Invalid(FilterError),
}

impl From<FilterError> for Halt {
    fn from(error: FilterError) -> Self {
        Self::Invalid(error)
    }
}

struct Pass {
    output: Output,
    budget: Budget,
}

impl Pass {
    fn message(&mut self, node: Node<'_>, message: &[u8], depth: u32) -> Result<(), Halt> {
        let mut reader = Reader::new(message, depth);
        let mut last = 0;
        let mut oneofs = 0_u64;
        while let Some(Token { number, value }) = reader.next(&mut self.budget)? {
            let Some(field) = node.member(number) else {
                continue;
            };
            let Some(fit) = Fit::granted(field, &value)? else {
                continue;
            };
            if let Some(oneof) = field.oneof() {
                let member = 1_u64.checked_shl(oneof.into()).ok_or(Halt::Unusual)?;
                if oneofs & member != 0 {
                    return Err(Halt::Unusual);
                }
                oneofs |= member;
            }
            if !field.is_granted() {
                continue;
            }
            let in_order = match field.arity() {
                Arity::Repeated => number >= last,
                Arity::Packed => number > last && fit == Fit::Run,
                Arity::Implicit | Arity::Explicit => number > last,
                Arity::Map => false,
            };
            if !in_order {
                return Err(Halt::Unusual);
            }
            last = number;
            match (value, field.child()) {
                (Value::Bytes(inner), Some(child)) => {
                    let depth = self.budget.deeper(depth)?;
                    let open = self.output.open(field, inner.len());
                    self.message(child, inner, depth)?;
                    self.output.close_message(field, &open)?;
                }
                (Value::Bytes(run), _) if fit == Fit::Run && field.arity() == Arity::Packed => {
                    let open = self.output.open(field, run.len());
                    self.output.run(field, run)?;
                    self.output.close_run(&open)?;
                }
                (Value::Bytes(run), _) if fit == Fit::Run => self.output.run(field, run)?,
                (value, _) => self.output.value(field, &value)?,
            }
        }
        Ok(())
    }
}
