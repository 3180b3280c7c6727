//! Objects behind a trait, whose type the caller knows.
//!
//! This is std's [`Any`](std::any::Any), asked the other way round. `Any` gives its type's id by
//! memory, in two words which the caller reads back as one: a processor cannot hand that on before
//! both are in its cache, behind every store and locked instruction before them. Here the id is
//! handed in, and the answer is a register.
//!
//! # Invariants
//! - B13: [`Typed::is`] tells the truth: every sized type has it from here, and a trait object that
//!   of its object.

use std::any::TypeId;

/// What can be asked for its type. A trait object that is to be asked has it as a supertrait.
///
/// # Safety
/// B13.
pub(crate) unsafe trait Typed: 'static {
    fn kind(&self) -> TypeId;
    fn is(&self, kind: TypeId) -> bool;
}

// SAFETY: B13: both are about this type.
unsafe impl<T: 'static> Typed for T {
    fn kind(&self) -> TypeId {
        TypeId::of::<T>()
    }

    fn is(&self, kind: TypeId) -> bool {
        kind == TypeId::of::<T>()
    }
}

/// The object as what it is, if it is a `T`.
#[inline]
pub(crate) fn downcast<T: 'static, D: Typed + ?Sized>(object: &D) -> Option<&T> {
    if !D::is(object, TypeId::of::<T>()) {
        return None;
    }
    // SAFETY: B13.
    Some(unsafe { &*std::ptr::from_ref(object).cast::<T>() })
}

/// The same, to change it.
#[inline]
pub(crate) fn downcast_mut<T: 'static, D: Typed + ?Sized>(object: &mut D) -> Option<&mut T> {
    if !D::is(object, TypeId::of::<T>()) {
        return None;
    }
    // SAFETY: B13.
    Some(unsafe { &mut *std::ptr::from_mut(object).cast::<T>() })
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    trait Shown: Typed {}

    impl Shown for u64 {}
    impl Shown for String {}

    /// B13.
    #[test]
    fn an_object_is_of_its_own_type_alone() {
        let mut objects: [Box<dyn Shown>; 2] = [Box::new(7_u64), Box::new(String::from("seven"))];
        assert_eq!(downcast::<u64, _>(&*objects[0]), Some(&7));
        assert_eq!(downcast::<i64, _>(&*objects[0]), None);
        assert_eq!(downcast::<u64, _>(&*objects[1]), None);
        // A box has a type of its own.
        assert_eq!(downcast::<u64, _>(&objects[0]), None);
        downcast_mut::<String, _>(&mut *objects[1])
            .expect("a text")
            .push('!');
        assert_eq!(
            downcast::<String, _>(&*objects[1]).expect("a text"),
            "seven!"
        );
        assert_eq!(downcast_mut::<String, _>(&mut *objects[0]), None);
        assert_eq!((*objects[0]).kind(), TypeId::of::<u64>());
    }
}
