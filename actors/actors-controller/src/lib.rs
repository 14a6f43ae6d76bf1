//! The SDK of controllers: Controller, World, Plan, relations, the host machine, the Scene test kit.
