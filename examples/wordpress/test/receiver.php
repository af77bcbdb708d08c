<?php
/**
 * Stands where Homeward would: `DIR=… php -S 127.0.0.1:PORT receiver.php`. Writes every delivery into DIR/deliveries, a
 * line each, and answers with the first line of DIR/answers, which it takes away, or with 204.
 */

$dir  = getenv( 'DIR' );
$file = fopen( "$dir/answers", 'c+' );
flock( $file, LOCK_EX );
$answers = array_filter( explode( "\n", stream_get_contents( $file ) ) );
$answer  = (int) ( array_shift( $answers ) ?? 204 );
ftruncate( $file, 0 );
rewind( $file );
fwrite( $file, implode( "\n", $answers ) );

$body  = file_get_contents( 'php://input' );
$id    = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
$time  = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
$key   = base64_decode( 'aG9tZXdhcmQtdGVzdC1zZWNyZXQtbm90LXJlYWwtMTI=' );
$right = 'v1,' . base64_encode( hash_hmac( 'sha256', "$id.$time.$body", $key, true ) );
$line  = [
	'genuine' => hash_equals( $right, $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '' ) && abs( time() - (int) $time ) < 5,
	'id'      => $id,
	'answer'  => $answer,
	'body'    => $body,
];
file_put_contents( "$dir/deliveries", json_encode( $line ) . "\n", FILE_APPEND );
http_response_code( $answer );
