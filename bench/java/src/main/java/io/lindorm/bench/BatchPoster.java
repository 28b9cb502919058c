package io.lindorm.bench;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * The floor of writing: one ready-made BatchWriteItem of 25 items, headers and signature included, posted
 * again and again by blocking connections. Nothing is built, signed or parsed.
 *
 * <p>Arguments: port, connections, items of a round.
 */
public final class BatchPoster {

    private static final int BATCH = 25;

    private BatchPoster() {}

    public static void main(String[] arguments) throws Exception {
        int port = Integer.parseInt(arguments[0]);
        int connections = Integer.parseInt(arguments[1]);
        long batches = Long.parseLong(arguments[2]) / BATCH / connections;
        byte[] request = request();
        ExecutorService threads = Executors.newFixedThreadPool(connections);
        List<Callable<Long>> posters = new ArrayList<>();
        for (int i = 0; i < connections; i++) {
            Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
            socket.setTcpNoDelay(true);
            posters.add(() -> post(socket, request, batches));
        }
        Rounds.serve(() -> {
            long items = 0;
            for (Future<Long> done : threads.invokeAll(posters)) {
                items += done.get();
            }
            return items;
        });
        threads.shutdown();
    }

    private static long post(Socket socket, byte[] request, long batches) throws IOException {
        OutputStream out = socket.getOutputStream();
        InputStream in = socket.getInputStream();
        byte[] answer = new byte[4096];
        for (long i = 0; i < batches; i++) {
            out.write(request);
            // The answers are far smaller than a segment of the loopback device: each comes in one piece.
            if (in.read(answer) < 0) {
                throw new EOFException("the server has closed the connection");
            }
        }
        return batches * BATCH;
    }

    private static byte[] request() {
        StringBuilder body = new StringBuilder("{\"RequestItems\":{\"readings\":[");
        for (int i = 0; i < BATCH; i++) {
            body.append(i == 0 ? "" : ",")
                    .append("{\"PutRequest\":{\"Item\":{\"device\":{\"S\":\"dev-")
                    .append(String.format("%07d", i))
                    .append("\"},\"ts\":{\"S\":\"2023-01-01T00:00:00.000Z\"},\"metric\":{\"S\":\"temperature\"},")
                    .append("\"val\":{\"N\":\"20.57\"},\"note\":{\"S\":\"ok-7\"}}}}");
        }
        body.append("]}}");
        return ("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Target: DynamoDB_20120810.BatchWriteItem\r\n"
                        + "Content-Type: application/x-amz-json-1.0\r\nX-Amz-Date: 20230101T000000Z\r\n"
                        + "Authorization: AWS4-HMAC-SHA256 Credential=local/20230101/us-west-2/dynamodb/aws4_request, "
                        + "SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=" + "0".repeat(64)
                        + "\r\nContent-Length: " + body.length() + "\r\n\r\n" + body)
                .getBytes(StandardCharsets.UTF_8);
    }
}
