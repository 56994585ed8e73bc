//! State kept in memory with an open database: one value of each type, made when it is first asked for.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The values of one open database. A clone leads to the same ones.
#[derive(Clone, Default)]
pub struct Attached(Arc<Mutex<HashMap<TypeId, Box<dyn Any + Send>>>>);

impl Attached {
    /// The value of this type. It should be a handle: its clones must lead to the same thing.
    pub fn get<T: Clone + Send + 'static>(&self, make: impl Fn() -> T) -> T {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let value = values.entry(TypeId::of::<T>()).or_insert_with(|| Box::new(make()));
        value.downcast_ref::<T>().cloned().unwrap_or_else(make)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_clones_share_one_value_of_a_type() {
        let (attached, text) = (Attached::default(), Arc::<str>::from("made once"));
        assert_eq!(&*attached.get(|| Arc::clone(&text)), "made once");
        assert_eq!(&*attached.clone().get(|| Arc::<str>::from("made again")), "made once");
        assert_eq!(attached.get(|| 7_i64), 7, "a value of another type is another value");
    }
}
