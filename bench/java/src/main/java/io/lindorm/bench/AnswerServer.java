package io.lindorm.bench;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.zip.CRC32;

/**
 * An HTTP server that says to each BatchWriteItem that all went well, and counts the items. It reads no more
 * of a request than it must: its length, how many puts it holds, and whether the units are asked for.
 *
 * <p>Arguments: the port. {@code GET} (of anything) answers {@code {"requests": n, "items": n}}.
 */
public final class AnswerServer {

    private static final byte[] END_OF_HEADERS = bytes("\r\n\r\n");
    private static final byte[] PUT = bytes("PutRequest");
    private static final byte[] UNITS = bytes("\"ReturnConsumedCapacity\":\"TOTAL\"");
    private static final int MOST_ITEMS = 25;

    /** Where an answer's number goes; as long as DynamoDB's ids are. */
    private static final byte[] NO_ID = bytes("BENCH" + "0".repeat(47));

    private static final byte[] PLAIN = response("{\"UnprocessedItems\":{}}");

    /** By the number of items: each is small and costs one unit. */
    private static final byte[][] WITH_UNITS = new byte[MOST_ITEMS + 1][];

    static {
        for (int items = 0; items <= MOST_ITEMS; items++) {
            WITH_UNITS[items] = response("{\"ConsumedCapacity\":[{\"CapacityUnits\":" + items
                    + ".0,\"TableName\":\"readings\"}],\"UnprocessedItems\":{}}");
        }
    }

    private long requests;
    private long items;
    private long answers;

    private AnswerServer() {}

    public static void main(String[] arguments) throws IOException {
        new AnswerServer().serve(Integer.parseInt(arguments[0]));
    }

    private void serve(int port) throws IOException {
        Selector selector = Selector.open();
        ServerSocketChannel server = ServerSocketChannel.open();
        server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 1024);
        server.configureBlocking(false);
        server.register(selector, SelectionKey.OP_ACCEPT);
        while (true) {
            selector.select();
            for (Iterator<SelectionKey> keys = selector.selectedKeys().iterator(); keys.hasNext(); keys.remove()) {
                SelectionKey key = keys.next();
                if (key.isAcceptable()) {
                    SocketChannel client = server.accept();
                    client.configureBlocking(false);
                    client.socket().setTcpNoDelay(true);
                    client.register(selector, SelectionKey.OP_READ, new Client(client));
                } else {
                    serve(key, (Client) key.attachment());
                }
            }
        }
    }

    private void serve(SelectionKey key, Client client) {
        try {
            if (!client.read()) {
                key.cancel();
                client.channel.close();
            }
        } catch (IOException gone) {
            // The other end was killed: what it sent in whole has been counted.
            key.cancel();
        }
    }

    private final class Client {
        private final SocketChannel channel;
        private ByteBuffer in = ByteBuffer.allocate(64 * 1024);

        Client(SocketChannel channel) {
            this.channel = channel;
        }

        /** Reads what there is and answers each request that is whole; false at the end of the stream. */
        boolean read() throws IOException {
            int read = channel.read(in);
            if (read < 0) {
                return false;
            }
            int start = 0;
            for (int end = requestEnd(start); end >= 0; end = requestEnd(start)) {
                answer(start, end);
                start = end;
            }
            in.limit(in.position()).position(start);
            in.compact();
            if (!in.hasRemaining()) {
                ByteBuffer larger = ByteBuffer.allocate(in.capacity() * 2);
                in.flip();
                in = larger.put(in);
            }
            return true;
        }

        /** Where the request that begins at {@code start} ends, or -1 while it is not whole. */
        private int requestEnd(int start) {
            byte[] data = in.array();
            int body = find(data, END_OF_HEADERS, start, in.position());
            if (body < 0) {
                return -1;
            }
            body += END_OF_HEADERS.length;
            int end = body + contentLength(data, start, body);
            return end <= in.position() ? end : -1;
        }

        private void answer(int start, int end) throws IOException {
            byte[] data = in.array();
            byte[] answer;
            if (data[start] == 'G') {
                answer = response("{\"requests\":" + requests + ",\"items\":" + items + "}");
            } else {
                int puts = 0;
                for (int at = find(data, PUT, start, end); at >= 0; at = find(data, PUT, at + PUT.length, end)) {
                    puts++;
                }
                requests++;
                items += puts;
                answer = find(data, UNITS, start, end) >= 0 ? WITH_UNITS[puts] : PLAIN;
            }
            ByteBuffer out = ByteBuffer.wrap(numbered(answer));
            while (out.hasRemaining()) {
                channel.write(out);
            }
        }
    }

    private static int contentLength(byte[] data, int from, int to) {
        int length = 0;
        int at = findIgnoringCase(data, "content-length:", from, to);
        if (at >= 0) {
            for (at += "content-length:".length(); data[at] != '\r'; at++) {
                if (data[at] != ' ') {
                    length = length * 10 + data[at] - '0';
                }
            }
        }
        return length;
    }

    private static int find(byte[] data, byte[] wanted, int from, int to) {
        for (int at = from; at <= to - wanted.length; at++) {
            int same = 0;
            while (same < wanted.length && data[at + same] == wanted[same]) {
                same++;
            }
            if (same == wanted.length) {
                return at;
            }
        }
        return -1;
    }

    private static int findIgnoringCase(byte[] data, String wanted, int from, int to) {
        for (int at = from; at <= to - wanted.length(); at++) {
            int same = 0;
            while (same < wanted.length() && Character.toLowerCase((char) data[at + same]) == wanted.charAt(same)) {
                same++;
            }
            if (same == wanted.length()) {
                return at;
            }
        }
        return -1;
    }

    /** An answer with a request id that no other has: a writer takes one that comes again for an old answer. */
    private byte[] numbered(byte[] answer) {
        byte[] own = answer.clone();
        long rest = ++answers;
        for (int at = find(own, NO_ID, 0, own.length) + NO_ID.length - 1; rest > 0; at--, rest /= 10) {
            own[at] = (byte) ('0' + rest % 10);
        }
        return own;
    }

    private static byte[] response(String body) {
        CRC32 crc = new CRC32();
        crc.update(bytes(body));
        return bytes("HTTP/1.1 200 OK\r\nx-amzn-RequestId: " + new String(NO_ID, StandardCharsets.UTF_8)
                + "\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: " + body.length()
                + "\r\nx-amz-crc32: "
                + crc.getValue() + "\r\n\r\n" + body);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
