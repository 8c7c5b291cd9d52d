# One Durable Object per room. They store nothing, and storage in memory is the faster to start with.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "main", worker = .rooms)],
  sockets = [(name = "http", http = (), service = "main")],
);

const rooms :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-11-01",
  durableObjectNamespaces = [(className = "Room", uniqueKey = "stateroom-bench-room")],
  durableObjectStorage = (inMemory = void),
  bindings = [
    (name = "ROOM", durableObjectNamespace = "Room"),
    (name = "MODE", fromEnvironment = "MODE"),
  ],
);
