package io.lindorm.flink.dynamodb;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.CRC32;

/**
 * A network between the writer and DynamoDB, in bytes: each request may reach DynamoDB or not, and whatever bytes may
 * come back.
 */
final class Wire implements AutoCloseable {

    /** What becomes of a request; {@link #PASS} where nothing is wrong. */
    interface Fault {
        Fault PASS = exchange -> exchange.reply(exchange.forward());

        void happen(Exchange exchange) throws IOException;
    }

    /** Which fault the request number so and so meets, from 0. */
    interface Script {
        Fault of(int request);
    }

    private final ServerSocket server = new ServerSocket();
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final Set<Socket> open = ConcurrentHashMap.newKeySet();
    private final AtomicInteger requests = new AtomicInteger();
    private final AtomicInteger connections = new AtomicInteger();
    private final int backend;
    private final Script script;

    /**
     * @param backend DynamoDB's port on this machine
     */
    Wire(int backend, Script script) throws IOException {
        this.backend = backend;
        this.script = script;
        server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 200);
        threads.execute(this::accept);
    }

    String url() {
        return "http://127.0.0.1:" + server.getLocalPort();
    }

    int requests() {
        return requests.get();
    }

    int connections() {
        return connections.get();
    }

    private void accept() {
        while (true) {
            try {
                Socket client = server.accept();
                connections.incrementAndGet();
                open.add(client);
                threads.execute(() -> serve(client));
            } catch (IOException e) {
                return;
            }
        }
    }

    private void serve(Socket client) {
        try (client) {
            for (byte[] request = read(client.getInputStream());
                    request != null;
                    request = read(client.getInputStream())) {
                script.of(requests.getAndIncrement()).happen(new Exchange(client, request));
                if (client.isClosed()) {
                    return;
                }
            }
        } catch (IOException e) {
            // The writer has gone away.
        } finally {
            open.remove(client);
        }
    }

    /** A message with a Content-Length, or null where the other side has closed. */
    private static byte[] read(InputStream in) throws IOException {
        ByteArrayOutputStream head = new ByteArrayOutputStream();
        while (!head.toString(StandardCharsets.ISO_8859_1).endsWith("\r\n\r\n")) {
            int next = in.read();
            if (next < 0) {
                return null;
            }
            head.write(next);
        }
        int length = 0;
        for (String line : head.toString(StandardCharsets.ISO_8859_1).split("\r\n")) {
            if (line.toLowerCase().startsWith("content-length:")) {
                length = Integer.parseInt(line.substring(line.indexOf(':') + 1).strip());
            }
        }
        head.write(in.readNBytes(length));
        return head.toByteArray();
    }

    final class Exchange {
        private final Socket client;
        private final byte[] request;

        private Exchange(Socket client, byte[] request) {
            this.client = client;
            this.request = request;
        }

        /** The request's body. */
        String body() {
            String text = new String(request, StandardCharsets.UTF_8);
            return text.substring(text.indexOf("\r\n\r\n") + 4);
        }

        /** Lets DynamoDB do the request, and gives its answer. */
        byte[] forward() throws IOException {
            try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), backend)) {
                socket.getOutputStream().write(request);
                byte[] answer = read(socket.getInputStream());
                if (answer == null) {
                    throw new IOException("DynamoDB has closed");
                }
                return answer;
            }
        }

        /** What comes back; the connection stays as it is. */
        void reply(byte[]... parts) throws IOException {
            for (byte[] part : parts) {
                client.getOutputStream().write(part);
            }
            client.getOutputStream().flush();
        }

        void hangUp() throws IOException {
            client.close();
        }
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** A whole HTTP answer. */
    static byte[] http(int status, String headers, String body) {
        return bytes("HTTP/1.1 " + status + " Whatever\r\n" + headers + "Content-Length: " + bytes(body).length
                + "\r\n\r\n" + body);
    }

    static String crc32(String body) {
        CRC32 crc = new CRC32();
        crc.update(bytes(body));
        return "x-amz-crc32: " + crc.getValue() + "\r\n";
    }

    @Override
    public void close() throws IOException {
        server.close();
        for (Socket socket : open) {
            socket.close();
        }
        threads.shutdownNow();
    }
}
