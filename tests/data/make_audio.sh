#!/bin/sh
# Makes the sound files of this folder with sox and ffmpeg; the tests only read them.
# All hold 0.2 s of a 1,000 Hz sine with peak 0.5, unless the name says otherwise.
set -e
cd "$(dirname "$0")"
tone="aevalsrc=0.5*sin(2*PI*1000*t):d=0.2"
ff="ffmpeg -v error -y -fflags +bitexact"

sox -D -n -r 24000 -c 1 -b 16 sox_pcm16.wav synth 0.2 sine 1000 vol 0.5
sox -D -n -r 22050 -c 1 -b 24 sox_pcm24.wav synth 0.2 sine 1000 vol 0.5          # WAVE_FORMAT_EXTENSIBLE
sox -D -n -r 16000 -c 1 -b 8 sox_pcm8.wav synth 0.2 sine 1000 vol 0.5
sox -D -n -r 16000 -c 2 -b 16 sox_left_only.wav synth 0.2 sine 1000 vol 0.5 remix 1 0
sox -D -n -r 24000 -c 1 -b 16 sox.flac synth 0.2 sine 1000 vol 0.5
sox -D -n -r 24000 -c 1 sox_vorbis.ogg synth 0.2 sine 1000 vol 0.5
sox -D -n -r 8000 -c 1 -e mu-law sox_mulaw.wav synth 0.2 sine 1000 vol 0.5
sox -D -n -r 8000 -c 1 -b 16 -e signed empty_of_samples.wav trim 0 0

$ff -f lavfi -i "$tone:s=44100" -c:a libmp3lame -b:a 64k ffmpeg.mp3
$ff -f lavfi -i "$tone:s=48000" -c:a libopus -b:a 32k ffmpeg_opus.ogg
$ff -f lavfi -i "aevalsrc=2*sin(2*PI*1000*t):d=0.2:s=16000" -c:a pcm_f32le ffmpeg_float_peak_2.wav
$ff -f lavfi -i "$tone:s=8000" -c:a pcm_alaw ffmpeg_alaw.wav
$ff -f lavfi -i "$tone:s=24000" -c:a pcm_s16le -f wav pipe:1 > ffmpeg_piped.wav          # sizes in the header unknown
$ff -f lavfi -i "$tone:s=48000" -c:a libopus -b:a 32k ffmpeg.webm
$ff -f lavfi -i "$tone:s=48000" -c:a aac -b:a 32k ffmpeg.m4a

# All 256 codes of G.711 as sox decodes them, and every 16th sample as ffmpeg encodes it.
perl -e 'print map { chr } 0..255' > codes.tmp
for law in mu a; do
  sox -t raw -r 8000 -c 1 -e $law-law codes.tmp -t raw -e signed -b 16 sox_decoded_pcm${law}.raw
  perl -e 'print map { pack "s<", $_ * 16 - 32768 } 0..4095' |
    ffmpeg -v error -f s16le -ar 8000 -ac 1 -i - -f ${law}law - > ffmpeg_encoded_pcm${law}.raw
done
rm codes.tmp
