// Rooms as uWebSockets' examples make them: one topic per room, no compression, no isolation.
#include "App.h"
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

struct Client {
    std::string room;
};

int main() {
    const char *mode = std::getenv("MODE");
    const bool echo = mode && std::string_view(mode) == "echo";
    const char *port = std::getenv("PORT");
    uWS::App app;

    app.ws<Client>("/ws/:room", {
        .compression = uWS::DISABLED,
        .maxPayloadLength = 64 * 1024,
        .idleTimeout = 120,
        // As many bytes as a window of messages to one client may need; the default skips early.
        .maxBackpressure = 16 * 1024 * 1024,
        .upgrade = [](auto *response, auto *request, auto *context) {
            response->template upgrade<Client>(
                {std::string(request->getParameter(0))}, request->getHeader("sec-websocket-key"),
                request->getHeader("sec-websocket-protocol"),
                request->getHeader("sec-websocket-extensions"), context);
        },
        .open = [](auto *socket) { socket->subscribe(socket->getUserData()->room); },
        .message = [&app, echo](auto *socket, std::string_view message, uWS::OpCode code) {
            if (echo) socket->send(message, code);
            else app.publish(socket->getUserData()->room, message, code);
        },
    });
    app.listen("127.0.0.1", port ? std::atoi(port) : 8080, [](auto *listening) {
        if (!listening) {
            std::cerr << "the port is taken" << std::endl;
            std::exit(1);
        }
    });
    app.run();
}
