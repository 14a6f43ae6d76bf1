//! The one way in for in-process callers: call and watch through the door under an identity.
