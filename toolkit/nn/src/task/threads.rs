//! What a CUDA build must do without: a CUDA stream belongs to the thread that made it, and so does
//! everything on it. In every other build a trainer can move to another thread, and a finished
//! network can be shared by several.

/// `Send`, except in a build with CUDA.
#[cfg(not(feature = "cuda"))]
pub trait Movable: Send {}
#[cfg(not(feature = "cuda"))]
impl<T: Send + ?Sized> Movable for T {}

/// `Send + Sync`, except in a build with CUDA.
#[cfg(not(feature = "cuda"))]
pub trait Shareable: Send + Sync {}
#[cfg(not(feature = "cuda"))]
impl<T: Send + Sync + ?Sized> Shareable for T {}

/// `Send`, except in a build with CUDA, which this is.
#[cfg(feature = "cuda")]
pub trait Movable {}
#[cfg(feature = "cuda")]
impl<T: ?Sized> Movable for T {}

/// `Send + Sync`, except in a build with CUDA, which this is.
#[cfg(feature = "cuda")]
pub trait Shareable {}
#[cfg(feature = "cuda")]
impl<T: ?Sized> Shareable for T {}
